import type { NetworkDefinition } from './definition.js';
import { torchvisionWeights } from './pretrained_torchvision.js';
import { type ResidualBranch, residualNetwork } from './residual_network.js';

/** Output channels of a block for each of its stage's width. */
const EXPANSION = 4;

/** 1 x 1 down, 3 x 3, 1 x 1 up. The stride sits in the 3 x 3: version 1.5, more accurate than the paper's, which has it in the first 1 x 1. */
const BOTTLENECK: ResidualBranch = {
  convolutions: (width, stride) => [
    { kernel: 1, outChannels: width, stride: 1 },
    { kernel: 3, outChannels: width, stride },
    { kernel: 1, outChannels: EXPANSION * width, stride: 1 },
  ],
};

export const resnet50: NetworkDefinition = {
  name: 'resnet50',
  description: 'ResNet-50 v1.5 in the topology and with the tensor names of torchvision, for images from 32 x 32',
  minSize: 32,
  defaultSize: 224,
  resizable: true,
  resizeKeepsWeights: true,
  defaultBatchSize: 23,
  defaultWeightPrior: 0.0001,
  defaultClassCount: 1000,
  classLayer: 'fc',
  pretrained: torchvisionWeights('resnet50'),
  graph: (options) => residualNetwork(BOTTLENECK, [3, 4, 6, 3], options),
};
