import type { Extent, Layer, NetworkGraph } from '../../native/graph.js';

/** Height, width and channels of the images. */
export const SIZE = 16;
export const CHANNELS = 3;
export const CLASSES = 4;

/** Four units of a network with a layer of every kind, small enough to be computed in a moment. */
export const selfCheckNetwork: NetworkGraph = {
  layers: [
    { kind: 'input', name: 'input', scale: [0.02, 0.015, 0.01], shift: [0.1, 0, -0.1] },
    ...unit('stem', 'input', 16, { kernel: 3 }),
    ...unit('depthwise', 'stem.relu', 16, { kernel: 3, groups: 16, max: 6 }),
    convolution('project', 'depthwise.relu', 16, { kernel: 1 }),
    batchNorm('project'),
    { kind: 'add', name: 'add', inputs: ['project.bn', 'stem.relu'] },
    { kind: 'relu', name: 'relu', input: 'add', max: null },
    { kind: 'max_pool', name: 'max_pool', input: 'relu', ...pooling(3, 2, 1), ceilMode: false },
    ...unit('strided', 'max_pool', 24, { kernel: 3, stride: 2 }),
    { kind: 'average_pool', name: 'average_pool', input: 'max_pool', ...pooling(2, 2, 0), ceilMode: false, countIncludePad: true },
    { kind: 'concat', name: 'concat', inputs: ['strided.relu', 'average_pool'] },
    convolution('mixed', 'concat', 32, { kernel: 1, bias: true }),
    { kind: 'dropout', name: 'dropout', input: 'mixed', probability: 0.25 },
    { kind: 'global_average_pool', name: 'mean', input: 'dropout' },
    { kind: 'fully_connected', name: 'hidden', input: 'mean', outFeatures: 32, bias: true },
    { kind: 'relu', name: 'hidden.relu', input: 'hidden', max: null },
    { kind: 'fully_connected', name: 'classifier', input: 'hidden.relu', outFeatures: CLASSES, bias: true },
    { kind: 'softmax', name: 'softmax', input: 'classifier' },
  ],
};

interface Convolution {
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
  readonly bias?: boolean;
}

function convolution(
  name: string,
  input: string,
  outChannels: number,
  { kernel, stride = 1, groups = 1, bias = false }: Convolution,
): Layer {
  return { kind: 'convolution', name, input, outChannels, ...pooling(kernel, stride, (kernel - 1) / 2), groups, bias };
}

function batchNorm(input: string): Layer {
  return { kind: 'batch_norm', name: `${input}.bn`, input, epsilon: 1e-5, momentum: 0.1 };
}

function unit(name: string, input: string, outChannels: number, { max = null, ...shape }: Convolution & { max?: number | null }): Layer[] {
  return [convolution(name, input, outChannels, shape), batchNorm(name), { kind: 'relu', name: `${name}.relu`, input: `${name}.bn`, max }];
}

function pooling(kernel: number, stride: number, padding: number): { kernel: Extent; stride: Extent; padding: Extent } {
  return { kernel: [kernel, kernel], stride: [stride, stride], padding: [padding, padding] };
}
