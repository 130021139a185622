import type { Extent, Layer, NetworkGraph } from '../../native/index.js';

/** A layer, or several in a row, between a convolution and a fully connected layer. */
export interface LayerCase {
  readonly title: string;
  /** They read `stem` (12 channels, 15 x 13) and the last one is named `probe`. */
  readonly layers: readonly Layer[];
}

export const LAYER_INPUT = { channels: 3, height: 15, width: 13 } as const;

const TWO: Extent = [2, 2];
const THREE: Extent = [3, 3];
const ONE: Extent = [1, 1];

function convolution(options: Partial<Layer & { kind: 'convolution' }>): Layer {
  return {
    kind: 'convolution',
    name: 'probe',
    input: 'stem',
    outChannels: 8,
    kernel: THREE,
    stride: ONE,
    padding: ONE,
    groups: 1,
    bias: false,
    ...options,
  };
}

function maxPool(kernel: Extent, stride: Extent, padding: Extent, ceilMode: boolean): Layer {
  return { kind: 'max_pool', name: 'probe', input: 'stem', kernel, stride, padding, ceilMode };
}

function averagePool(kernel: Extent, stride: Extent, padding: Extent, ceilMode: boolean, countIncludePad: boolean): Layer {
  return { kind: 'average_pool', name: 'probe', input: 'stem', kernel, stride, padding, ceilMode, countIncludePad };
}

/** Every kind of layer in the shapes that networks have them in, and in awkward ones. */
export const LAYER_CASES: readonly LayerCase[] = [
  { title: 'convolution 3 x 3 with bias', layers: [convolution({ bias: true })] },
  { title: 'convolution 1 x 1, stride 2', layers: [convolution({ kernel: ONE, stride: TWO, padding: [0, 0], outChannels: 20 })] },
  { title: 'convolution 7 x 7, stride 2, padding 3', layers: [convolution({ kernel: [7, 7], stride: TWO, padding: [3, 3] })] },
  { title: 'convolution 5 x 3, stride 2 x 1, padding 2 x 0', layers: [convolution({ kernel: [5, 3], stride: [2, 1], padding: [2, 0] })] },
  { title: 'convolution in 4 groups', layers: [convolution({ groups: 4 })] },
  { title: 'depthwise convolution', layers: [convolution({ groups: 12, outChannels: 12, stride: TWO })] },
  { title: 'convolution to 1 channel', layers: [convolution({ outChannels: 1, bias: true })] },
  { title: 'batch norm', layers: [{ kind: 'batch_norm', name: 'probe', input: 'stem', epsilon: 1e-3, momentum: 0.2 }] },
  { title: 'ReLU', layers: [{ kind: 'relu', name: 'probe', input: 'stem', max: null }] },
  { title: 'ReLU6', layers: [{ kind: 'relu', name: 'probe', input: 'stem', max: 6 }] },
  { title: 'max pooling 3 x 3, stride 2, padding 1', layers: [maxPool(THREE, TWO, ONE, false)] },
  { title: 'max pooling 3 x 3, stride 2, ceil mode', layers: [maxPool(THREE, TWO, [0, 0], true)] },
  { title: 'max pooling 2 x 2, ceil mode', layers: [maxPool(TWO, TWO, [0, 0], true)] },
  { title: 'average pooling 2 x 2, ceil mode', layers: [averagePool(TWO, TWO, [0, 0], true, true)] },
  { title: 'average pooling 3 x 3, padding counted', layers: [averagePool(THREE, TWO, ONE, false, true)] },
  { title: 'average pooling 3 x 3, padding not counted, ceil mode', layers: [averagePool(THREE, TWO, ONE, true, false)] },
  {
    title: 'sum of two branches',
    layers: [
      convolution({ name: 'branch', outChannels: 12 }),
      { kind: 'batch_norm', name: 'norm', input: 'branch', epsilon: 1e-5, momentum: 0.1 },
      { kind: 'add', name: 'sum', inputs: ['norm', 'stem'] },
      { kind: 'relu', name: 'probe', input: 'sum', max: null },
    ],
  },
  {
    title: 'concatenation of three',
    layers: [
      convolution({ name: 'narrow', outChannels: 5 }),
      convolution({ name: 'wide', outChannels: 16, kernel: ONE, padding: [0, 0] }),
      { kind: 'concat', name: 'probe', inputs: ['narrow', 'stem', 'wide'] },
    ],
  },
  {
    title: 'two fully connected layers',
    layers: [
      { kind: 'fully_connected', name: 'hidden', input: 'stem', outFeatures: 24, bias: true },
      { kind: 'relu', name: 'probe', input: 'hidden', max: null },
    ],
  },
];

/** input -> stem -> layers -> fully connected -> softmax. The stem's output spreads over several units, so that ReLU6 cuts on both sides. */
export function layerGraph({ layers }: LayerCase, classes: number): NetworkGraph {
  return {
    layers: [
      { kind: 'input', name: 'input', scale: [1 / 16, 1 / 20, 1 / 24], shift: [0.1, -0.2, 0.3] },
      convolution({ name: 'stem', input: 'input', outChannels: 12 }),
      ...layers,
      { kind: 'fully_connected', name: 'fc', input: 'probe', outFeatures: classes, bias: true },
      { kind: 'softmax', name: 'softmax', input: 'fc' },
    ],
  };
}
