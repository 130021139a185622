import type { Extent, Layer } from '../../native/graph.js';

/** The layers that networks are written in, with the defaults of PyTorch: square windows, no padding, one group, no bias before a batch norm. */

export interface ConvolutionOptions {
  readonly kernel: number;
  /** @default 1 */
  readonly stride?: number;
  /** @default half of the kernel, so that stride 1 keeps the size */
  readonly padding?: number;
  /** @default 1 */
  readonly groups?: number;
  /** @default false */
  readonly bias?: boolean;
}

export function convolution(name: string, input: string, outChannels: number, options: ConvolutionOptions): Layer {
  const { kernel, stride = 1, padding = (kernel - 1) / 2, groups = 1, bias = false } = options;
  return {
    kind: 'convolution',
    name,
    input,
    outChannels,
    kernel: square(kernel),
    stride: square(stride),
    padding: square(padding),
    groups,
    bias,
  };
}

export function batchNorm(name: string, input: string): Layer {
  return { kind: 'batch_norm', name, input, epsilon: 1e-5, momentum: 0.1 };
}

/** @param max null for no upper bound */
export function relu(name: string, input: string, max: number | null = null): Layer {
  return { kind: 'relu', name, input, max };
}

export function maxPool(name: string, input: string, window: { kernel: Extent; stride: number; padding: number }): Layer {
  const { kernel, stride, padding } = window;
  return { kind: 'max_pool', name, input, kernel, stride: square(stride), padding: square(padding), ceilMode: false };
}

export function fullyConnected(name: string, input: string, outFeatures: number): Layer {
  return { kind: 'fully_connected', name, input, outFeatures, bias: true };
}

export function dropout(name: string, input: string, probability: number): Layer {
  return { kind: 'dropout', name, input, probability };
}

export function square(extent: number): Extent {
  return [extent, extent];
}
