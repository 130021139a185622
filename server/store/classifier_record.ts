import type { NetworkDefinition } from '../networks/definition.js';
import type { Settings } from '../parameters/settings.js';

/** A classifier at rest: all that it takes to go on as if it had never stopped. */
export interface ClassifierRecord {
  readonly network: NetworkDefinition;
  readonly settings: Settings;
  /** Steps applied. */
  readonly step: number;
  /** Of fresh weights and of dropout. */
  readonly seed: bigint;
  /** Weights, biases, statistics and the solver's state. */
  readonly tensors: readonly StoredTensor[];
}

/** A tensor of float32 as a file has it. */
export interface StoredTensor {
  /** As torchvision has it; the solver's state of `x` is `momentum/x`, or `adam_first_moment/x` and so on. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
