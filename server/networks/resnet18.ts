import type { Layer, NetworkGraph } from '../../native/graph.js';
import type { GraphOptions, NetworkDefinition } from './definition.js';
import { torchvisionInput } from './torchvision_input.js';

/** Channels of the four stages; each has two basic blocks, and all but the first begin with stride 2. */
const STAGE_CHANNELS = [64, 128, 256, 512] as const;
const BLOCKS_PER_STAGE = 2;

/**
 * He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (2015), in the topology and with the tensor names of
 * torchvision.models.resnet18, so that its weights load as they are.
 */
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
  pretrained: {
    fileName: 'resnet18.safetensors',
    remedy:
      "put torchvision's weights there: python3 -c \"import torchvision.models as m, safetensors.torch as s; s.save_file(m.resnet18(weights='DEFAULT')" +
      ".state_dict(), 'resnet18.safetensors')\"; or read with pretrained = false for fresh weights",
  },
  graph: resnet18Graph,
};

function resnet18Graph({ classes, channels }: GraphOptions): NetworkGraph {
  const layers: Layer[] = [
    torchvisionInput(channels),
    convolution('conv1', 'input', 64, 7, 2),
    batchNorm('bn1', 'conv1'),
    relu('relu', 'bn1'),
    { kind: 'max_pool', name: 'maxpool', input: 'relu', kernel: [3, 3], stride: [2, 2], padding: [1, 1], ceilMode: false },
  ];
  let input = 'maxpool';
  for (const [stage, outChannels] of STAGE_CHANNELS.entries()) {
    for (let block = 0; block < BLOCKS_PER_STAGE; block++) {
      const name = `layer${stage + 1}.${block}`;
      layers.push(...basicBlock(name, input, outChannels, stage > 0 && block === 0 ? 2 : 1));
      input = `${name}.relu2`;
    }
  }
  layers.push(
    { kind: 'global_average_pool', name: 'avgpool', input },
    { kind: 'fully_connected', name: 'fc', input: 'avgpool', outFeatures: classes, bias: true },
    { kind: 'softmax', name: 'softmax', input: 'fc' },
  );
  return { layers };
}

/** relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut); where the shape changes, the shortcut is a 1 x 1 convolution with batch norm. */
function basicBlock(name: string, input: string, outChannels: number, stride: 1 | 2): Layer[] {
  const layers: Layer[] = [
    convolution(`${name}.conv1`, input, outChannels, 3, stride),
    batchNorm(`${name}.bn1`, `${name}.conv1`),
    relu(`${name}.relu1`, `${name}.bn1`),
    convolution(`${name}.conv2`, `${name}.relu1`, outChannels, 3, 1),
    batchNorm(`${name}.bn2`, `${name}.conv2`),
  ];
  let shortcut = input;
  if (stride !== 1) {
    layers.push(
      convolution(`${name}.downsample.0`, input, outChannels, 1, stride),
      batchNorm(`${name}.downsample.1`, `${name}.downsample.0`),
    );
    shortcut = `${name}.downsample.1`;
  }
  layers.push({ kind: 'add', name: `${name}.add`, inputs: [`${name}.bn2`, shortcut] }, relu(`${name}.relu2`, `${name}.add`));
  return layers;
}

function convolution(name: string, input: string, outChannels: number, kernel: 1 | 3 | 7, stride: 1 | 2): Layer {
  const padding = (kernel - 1) / 2;
  return {
    kind: 'convolution',
    name,
    input,
    outChannels,
    kernel: [kernel, kernel],
    stride: [stride, stride],
    padding: [padding, padding],
    groups: 1,
    bias: false,
  };
}

function batchNorm(name: string, input: string): Layer {
  return { kind: 'batch_norm', name, input, epsilon: 1e-5, momentum: 0.1 };
}

function relu(name: string, input: string): Layer {
  return { kind: 'relu', name, input, max: null };
}
