import type { Precision, Solver } from '../../native/binding.js';
import { batchNormMomentum, type Channels, type NetworkDefinition } from '../networks/definition.js';
import { type Freeze, NOTHING_FROZEN } from './freeze.js';
import type { StringMap } from './value.js';

/** Kinds of devices. */
export type Runtime = 'cpu' | 'gpu';

/** The parameters of a classifier that can be set, all within their ranges. */
export interface Settings {
  /** Images on the device at once. */
  readonly batchSize: number;
  readonly batchSizeMultiplier: number;
  /** Names, in the order of the network's outputs; empty as long as they are not set. */
  readonly classes: readonly string[];
  /** One a class, or none: 1 each. */
  readonly classWeights: readonly number[];
  readonly imageWidth: number;
  readonly imageHeight: number;
  readonly imageChannels: Channels;
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightPrior: number;
  readonly weightDecay: number;
  readonly solverType: Solver;
  readonly adamBeta1: number;
  readonly adamBeta2: number;
  readonly adamEpsilon: number;
  /** 0: gradients are not shortened. */
  readonly maxGradientNorm: number;
  readonly batchNormMomentum: number;
  readonly freeze: Freeze;
  readonly runtime: Runtime;
  /** Index of the GPU; without effect on the CPU. */
  readonly gpu: number;
  readonly precision: Precision;
  readonly deterministic: boolean;
  readonly metaData: StringMap;
}

/** What a network starts with, on the CPU. */
export function defaultSettings(network: NetworkDefinition): Settings {
  return {
    batchSize: network.defaultBatchSize,
    batchSizeMultiplier: 1,
    classes: [],
    classWeights: [],
    imageWidth: network.defaultSize,
    imageHeight: network.defaultSize,
    imageChannels: 3,
    learningRate: 0.001,
    momentum: 0.9,
    weightPrior: network.defaultWeightPrior,
    weightDecay: 0,
    solverType: 'sgd',
    adamBeta1: 0.9,
    adamBeta2: 0.999,
    adamEpsilon: 1e-8,
    maxGradientNorm: 0,
    batchNormMomentum: batchNormMomentum(network),
    freeze: NOTHING_FROZEN,
    runtime: 'cpu',
    gpu: 0,
    precision: 'float32',
    deterministic: false,
    metaData: new Map(),
  };
}

/** Whether the classes differ in any way; the last layer then starts anew. */
export function classesDiffer(a: Pick<Settings, 'classes'>, b: Pick<Settings, 'classes'>): boolean {
  return a.classes.length !== b.classes.length || a.classes.some((name, index) => name !== b.classes[index]);
}
