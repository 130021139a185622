import type { Extent, Layer, NetworkGraph } from '../../native/index.js';

/**
 * A network without ReLU and max pooling: its loss has no kinks, rounding errors stay small over many steps, and training in float32 can be
 * followed closely. Two convolutions, each with batch norm (or without) and average pooling, then a fully connected layer.
 */
export function smoothGraph(classes: number, batchNorm: boolean): NetworkGraph {
  return {
    layers: [
      { kind: 'input', name: 'input', scale: [1 / 64, 1 / 64, 1 / 64], shift: [0, 0, 0] },
      ...block(1, 'input', 16, batchNorm),
      ...block(2, 'pool1', 32, batchNorm),
      { kind: 'global_average_pool', name: 'average', input: 'pool2' },
      { kind: 'fully_connected', name: 'fc', input: 'average', outFeatures: classes, bias: true },
      { kind: 'softmax', name: 'softmax', input: 'fc' },
    ],
  };
}

const TWO: Extent = [2, 2];

function block(index: number, input: string, outChannels: number, batchNorm: boolean): Layer[] {
  const convolution: Layer = {
    kind: 'convolution',
    name: `conv${index}`,
    input,
    outChannels,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    groups: 1,
    bias: !batchNorm,
  };
  const norm: Layer = { kind: 'batch_norm', name: `bn${index}`, input: `conv${index}`, epsilon: 1e-5, momentum: 0.1 };
  const pool: Layer = {
    kind: 'average_pool',
    name: `pool${index}`,
    input: batchNorm ? norm.name : convolution.name,
    kernel: TWO,
    stride: TWO,
    padding: [0, 0],
    ceilMode: false,
    countIncludePad: true,
  };
  return batchNorm ? [convolution, norm, pool] : [convolution, pool];
}
