import type { NetworkDefinition } from './definition.js';
import { torchvisionWeights } from './pretrained_torchvision.js';
import { type ResidualBranch, residualNetwork } from './residual_network.js';

/** Two 3 x 3 convolutions. */
const BASIC: ResidualBranch = {
  convolutions: (width, stride) => [
    { kernel: 3, outChannels: width, stride },
    { kernel: 3, outChannels: width, stride: 1 },
  ],
};

export const resnet18: NetworkDefinition = {
  name: 'resnet18',
  description: 'ResNet-18 in the topology and with the tensor names of torchvision, for images from 32 x 32',
  minSize: 32,
  defaultSize: 224,
  resizable: true,
  resizeKeepsWeights: true,
  defaultBatchSize: 24,
  defaultWeightPrior: 0.0001,
  defaultClassCount: 1000,
  classLayer: 'fc',
  pretrained: torchvisionWeights('resnet18'),
  graph: (options) => residualNetwork(BASIC, [2, 2, 2, 2], options),
};
