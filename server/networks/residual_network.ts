import type { Layer, NetworkGraph } from '../../native/graph.js';
import type { GraphOptions } from './definition.js';
import { torchvisionInput } from './input.js';
import { batchNorm, convolution, fullyConnected, maxPool, relu, square } from './layers.js';

/** Width of the four stages; all but the first begin with stride 2. */
const STAGE_WIDTHS = [64, 128, 256, 512] as const;
const STEM_CHANNELS = 64;

/** The branch of a residual block: convolutions with batch norm, a ReLU after each but the last, named conv1, bn1, relu1, conv2 and so on. */
export interface ResidualBranch {
  /** Of a stage's width; the last one is the block's output. */
  convolutions(width: number, stride: 1 | 2): readonly BranchConvolution[];
}

export interface BranchConvolution {
  readonly kernel: 1 | 3;
  readonly outChannels: number;
  readonly stride: 1 | 2;
}

/**
 * He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (2015), in the topology and with the tensor names of
 * torchvision.models.resnet, so that its weights load as they are.
 *
 * @param blocks of each stage
 */
export function residualNetwork(
  branch: ResidualBranch,
  blocks: readonly [number, number, number, number],
  { classes, channels }: GraphOptions,
): NetworkGraph {
  const layers: Layer[] = [
    torchvisionInput(channels),
    convolution('conv1', 'input', STEM_CHANNELS, { kernel: 7, stride: 2 }),
    batchNorm('bn1', 'conv1'),
    relu('relu', 'bn1'),
    maxPool('maxpool', 'relu', { kernel: square(3), stride: 2, padding: 1 }),
  ];
  let [input, inChannels] = ['maxpool', STEM_CHANNELS];
  for (const [stage, width] of STAGE_WIDTHS.entries()) {
    for (let block = 0; block < (blocks[stage] ?? 0); block++) {
      const convolutions = branch.convolutions(width, stage > 0 && block === 0 ? 2 : 1);
      const made = residualBlock(`layer${stage + 1}.${block}`, input, inChannels, convolutions);
      layers.push(...made.layers);
      ({ output: input, outChannels: inChannels } = made);
    }
  }
  layers.push({ kind: 'global_average_pool', name: 'avgpool', input }, fullyConnected('fc', 'avgpool', classes), {
    kind: 'softmax',
    name: 'softmax',
    input: 'fc',
  });
  return { layers };
}

interface Made {
  readonly layers: readonly Layer[];
  readonly output: string;
  readonly outChannels: number;
}

/** relu(branch(x) + shortcut); where the shape changes, the shortcut is a 1 x 1 convolution with batch norm. */
function residualBlock(name: string, input: string, inChannels: number, convolutions: readonly BranchConvolution[]): Made {
  const layers: Layer[] = [];
  let [branch, outChannels, stride] = [input, inChannels, 1];
  for (const [index, each] of convolutions.entries()) {
    const position = index + 1;
    layers.push(
      convolution(`${name}.conv${position}`, branch, each.outChannels, { kernel: each.kernel, stride: each.stride }),
      batchNorm(`${name}.bn${position}`, `${name}.conv${position}`),
    );
    branch = `${name}.bn${position}`;
    if (position < convolutions.length) {
      layers.push(relu(`${name}.relu${position}`, branch));
      branch = `${name}.relu${position}`;
    }
    outChannels = each.outChannels;
    stride *= each.stride;
  }
  let shortcut = input;
  if (stride !== 1 || inChannels !== outChannels) {
    layers.push(
      convolution(`${name}.downsample.0`, input, outChannels, { kernel: 1, stride }),
      batchNorm(`${name}.downsample.1`, `${name}.downsample.0`),
    );
    shortcut = `${name}.downsample.1`;
  }
  const output = `${name}.relu${convolutions.length}`;
  layers.push({ kind: 'add', name: `${name}.add`, inputs: [branch, shortcut] }, relu(output, `${name}.add`));
  return { layers, output, outChannels };
}
