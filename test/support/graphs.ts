import { PLAIN_TRAINING } from '../../bench/sgd_options.js';
import type { InputSize, Layer, NetworkGraph, PlanOptions, ReshapeOptions, TrainOptions } from '../../native/index.js';

/** The images of {@link smallGraph}. */
export const SMALL_INPUT: InputSize = { channels: 3, height: 8, width: 8 };

/** Convolution, batch norm, ReLU, global average pool, fully connected: a network whose step takes a millisecond. */
export function smallGraph(classes = 4, channels = 3): NetworkGraph {
  return {
    layers: [
      { kind: 'input', name: 'input', scale: Array(channels).fill(1 / 128), shift: Array(channels).fill(0) },
      convolution('conv1', 'input', 8),
      { kind: 'batch_norm', name: 'bn1', input: 'conv1', epsilon: 1e-5, momentum: 0.1 },
      { kind: 'relu', name: 'relu1', input: 'bn1', max: null },
      { kind: 'global_average_pool', name: 'pool', input: 'relu1' },
      { kind: 'fully_connected', name: 'fc', input: 'pool', outFeatures: classes, bias: true },
      { kind: 'softmax', name: 'softmax', input: 'fc' },
    ],
  };
}

/** The images of {@link slowGraph}. */
export const SLOW_INPUT: InputSize = { channels: 3, height: 128, width: 128 };

/** Ten wide convolutions: a step of four images keeps the engine thread busy for a good part of a second. */
export function slowGraph(): NetworkGraph {
  const convolutions = Array.from({ length: 10 }, (_, i) => convolution(`conv${i + 1}`, i === 0 ? 'input' : `conv${i}`, 64));
  return {
    layers: [
      { kind: 'input', name: 'input', scale: [1 / 128, 1 / 128, 1 / 128], shift: [0, 0, 0] },
      ...convolutions,
      { kind: 'global_average_pool', name: 'pool', input: 'conv10' },
      { kind: 'fully_connected', name: 'fc', input: 'pool', outFeatures: 2, bias: true },
      { kind: 'softmax', name: 'softmax', input: 'fc' },
    ],
  };
}

function convolution(name: string, input: string, outChannels: number): Layer {
  return { kind: 'convolution', name, input, outChannels, kernel: [3, 3], stride: [1, 1], padding: [1, 1], groups: 1, bias: false };
}

export function planOptions(batchSize: number): PlanOptions {
  return { batchSize, precision: 'float32', deterministic: true, frozenLayers: [] };
}

/** The present solver, and plans when they are needed. */
export function reshapeOptions(seed: bigint, reinitialize: readonly string[] = []): ReshapeOptions {
  return { seed, reinitialize, solver: null, plan: null };
}

export function trainOptions(batchSize: number, step = 0): TrainOptions {
  return {
    ...planOptions(batchSize),
    ...PLAIN_TRAINING,
    batchSizeMultiplier: 1,
    learningRate: 0.001,
    momentum: 0.9,
    weightPrior: 0.0005,
    step,
  };
}
