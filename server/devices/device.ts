import type { Binding, Engine, InputSize, Model, Precision } from '../../native/binding.js';
import type { NetworkGraph } from '../../native/graph.js';
import { isEngineError } from '../../native/index.js';
import { MemoryBudget, MemoryEstimator } from '../classifier/memory.js';
import { type Refusal, refuse } from '../errors/refusal.js';
import type { Runtime } from '../parameters/settings.js';

export interface DeviceOptions {
  readonly binding: Pick<Binding, 'Model'>;
  /** The device's from now on. */
  readonly engine: Engine;
  readonly runtime: Runtime;
  /** Index among those of its kind. */
  readonly index: number;
  /** Bytes of all classifiers on it together. */
  readonly memoryBytes: number;
}

/** Something that classifiers live and compute on. */
export class Device {
  readonly engine: Engine;
  readonly runtime: Runtime;
  readonly index: number;
  /** What all classifiers on it may hold together. */
  readonly memory: MemoryBudget;
  readonly estimator: MemoryEstimator;
  readonly #binding: Pick<Binding, 'Model'>;
  #lost: Refusal | null = null;
  #onLost: (() => void) | null = null;

  constructor({ binding, engine, runtime, index, memoryBytes }: DeviceOptions) {
    this.#binding = binding;
    this.engine = engine;
    this.runtime = runtime;
    this.index = index;
    this.memory = new MemoryBudget(memoryBytes);
    this.estimator = new MemoryEstimator({ planMemory: (...subject) => this.compute(() => engine.planMemory(...subject)) });
  }

  /** As the parameter `precision` has them. */
  get precisions(): readonly Precision[] {
    return this.engine.info.precisions;
  }

  /** What a classifier computes in that is not told otherwise. */
  get defaultPrecision(): Precision {
    return this.precisions.includes('tf32') ? 'tf32' : 'float32';
  }

  /** Why nothing can be computed on it any more; null where it can. */
  get lost(): Refusal | null {
    return this.#lost;
  }

  /** Is called once, when the device turns out to be lost. */
  set onLost(listener: () => void) {
    this.#onLost = listener;
  }

  /** A model on this device; it is to be closed. */
  makeModel(graph: NetworkGraph, input: InputSize, seed: bigint): Model {
    return new this.#binding.Model(this.engine, graph, input, seed);
  }

  /**
   * Lets the engine compute.
   *
   * @throws Refusal DEVICE_LOST, from the first failure of that kind on; what else `task` throws
   */
  async compute<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#lost !== null) throw this.#lost;
    try {
      return await task();
    } catch (error) {
      if (!isEngineError(error) || error.reason !== 'DEVICE_LOST') throw error;
      throw this.#lose(error.message, error);
    }
  }

  #lose(problem: string, cause: unknown): Refusal {
    if (this.#lost === null) {
      const metadata = { gpu: this.index, problem };
      this.#lost = refuse('DEVICE_LOST', metadata, { cause });
      this.#onLost?.();
    }
    return this.#lost;
  }
}
