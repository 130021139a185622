import type { Precision } from '../../native/binding.js';
import type { Channels, NetworkDefinition } from '../networks/definition.js';
import type { StringMap } from './value.js';

/** The parameters of a classifier that can be set, all within their ranges. */
export interface Settings {
  /** Images on the device at once. */
  readonly batchSize: number;
  readonly batchSizeMultiplier: number;
  /** Names, in the order of the network's outputs; empty as long as they are not set. */
  readonly classes: readonly string[];
  readonly imageWidth: number;
  readonly imageHeight: number;
  readonly imageChannels: Channels;
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightPrior: number;
  readonly precision: Precision;
  readonly deterministic: boolean;
  readonly metaData: StringMap;
}

/** What a network starts with. */
export function defaultSettings(network: NetworkDefinition): Settings {
  return {
    batchSize: network.defaultBatchSize,
    batchSizeMultiplier: 1,
    classes: [],
    imageWidth: network.defaultSize,
    imageHeight: network.defaultSize,
    imageChannels: 3,
    learningRate: 0.001,
    momentum: 0.9,
    weightPrior: network.defaultWeightPrior,
    precision: 'float32',
    deterministic: false,
    metaData: new Map(),
  };
}
