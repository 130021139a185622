import type { Layer, NetworkGraph } from '../../native/graph.js';
import type { GraphOptions, NetworkDefinition } from './definition.js';
import { photographInput } from './input.js';
import { batchNorm, convolution, relu } from './layers.js';

/** Channels and stride of each 3 x 3 convolution; the last stage ends at 1/16 of the image's width and height. */
const BLOCKS: readonly (readonly [channels: number, stride: 1 | 2])[] = [
  [16, 1],
  [32, 2],
  [32, 1],
  [64, 2],
  [64, 1],
  [128, 2],
  [128, 1],
  [128, 2],
];

/**
 * Our own network: 3 x 3 convolutions, each with batch norm and ReLU, a 1 x 1 convolution to the classes and the mean over all
 * positions, so that it takes any image size. 9.7 million multiply-adds for a grey image of 28 x 28, 0.6 billion at 224 x 224.
 */
export const compact: NetworkDefinition = {
  name: 'compact',
  description: 'small and quick, fully convolutional, for images from 15 x 15',
  minSize: 15,
  defaultSize: 224,
  resizable: true,
  resizeKeepsWeights: true,
  defaultBatchSize: 160,
  defaultWeightPrior: 0,
  defaultClassCount: 10,
  classLayer: 'classifier',
  pretrained: null,
  graph: compactGraph,
};

function compactGraph({ classes, channels }: GraphOptions): NetworkGraph {
  const layers: Layer[] = [photographInput(channels)];
  let input = 'input';
  for (const [index, [outChannels, stride]] of BLOCKS.entries()) {
    const block = `block${index + 1}`;
    layers.push(
      convolution(`${block}.conv`, input, outChannels, { kernel: 3, stride }),
      batchNorm(`${block}.bn`, `${block}.conv`),
      relu(`${block}.relu`, `${block}.bn`),
    );
    input = `${block}.relu`;
  }
  layers.push(
    convolution('classifier', input, classes, { kernel: 1, bias: true }),
    { kind: 'global_average_pool', name: 'pool', input: 'classifier' },
    { kind: 'softmax', name: 'softmax', input: 'pool' },
  );
  return { layers };
}
