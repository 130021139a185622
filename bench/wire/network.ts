import type { NetworkDefinition } from '../../server/networks/definition.js';
import { photographInput } from '../../server/networks/input.js';
import { fullyConnected } from '../../server/networks/layers.js';

/**
 * The least that can be trained: the mean of each channel, and one fully connected layer. A step is real, but is over in a fraction of the
 * time that its images take on the wire.
 */
export const means: NetworkDefinition = {
  name: 'means',
  description: 'the mean of each channel and a fully connected layer, for measurements of the wire',
  minSize: 1,
  defaultSize: 224,
  resizable: true,
  resizeKeepsWeights: true,
  defaultBatchSize: 32,
  defaultWeightPrior: 0,
  defaultClassCount: 10,
  classLayer: 'classifier',
  pretrained: null,
  graph: ({ classes, channels }) => ({
    layers: [
      photographInput(channels),
      { kind: 'global_average_pool', name: 'pool', input: 'input' },
      fullyConnected('classifier', 'pool', classes),
      { kind: 'softmax', name: 'softmax', input: 'classifier' },
    ],
  }),
};
