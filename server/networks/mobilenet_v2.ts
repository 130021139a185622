import type { Layer, NetworkGraph } from '../../native/graph.js';
import type { GraphOptions, NetworkDefinition } from './definition.js';
import { torchvisionInput } from './input.js';
import { batchNorm, convolution, dropout, fullyConnected, relu } from './layers.js';
import { torchvisionWeights } from './pretrained_torchvision.js';

const STEM_CHANNELS = 32;
const LAST_CHANNELS = 1280;

/** Table 2 of the paper: inverted residuals that widen their input `expansion` times, `repeats` in a row, the first with the stride. */
const STAGES: readonly (readonly [expansion: 1 | 6, outChannels: number, repeats: number, stride: 1 | 2])[] = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
];

/**
 * Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2 (2018), in the topology and with the tensor names of
 * torchvision.models.mobilenet_v2, so that its weights load as they are.
 */
export const mobilenetV2: NetworkDefinition = {
  name: 'mobilenet_v2',
  description: 'MobileNetV2 in the topology and with the tensor names of torchvision, for images from 32 x 32',
  minSize: 32,
  defaultSize: 224,
  resizable: true,
  resizeKeepsWeights: true,
  defaultBatchSize: 40,
  defaultWeightPrior: 0,
  defaultClassCount: 1000,
  classLayer: 'classifier.1',
  pretrained: torchvisionWeights('mobilenet_v2'),
  graph: mobilenetGraph,
};

function mobilenetGraph({ classes, channels }: GraphOptions): NetworkGraph {
  const layers: Layer[] = [torchvisionInput(channels)];
  /** Appends layers and returns the name of the last. */
  const append = (...more: readonly Layer[]): string => {
    layers.push(...more);
    return more.at(-1)?.name ?? '';
  };
  let input = append(...unit('features.0', 'input', STEM_CHANNELS, { kernel: 3, stride: 2 }));
  let [inChannels, position] = [STEM_CHANNELS, 1];
  for (const [expansion, outChannels, repeats, firstStride] of STAGES) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const name = `features.${position++}`;
      const stride = repeat === 0 ? firstStride : 1;
      const output = append(...expandedBlock(name, input, { inChannels, expansion, outChannels, stride }));
      const shortcut = stride === 1 && inChannels === outChannels;
      input = shortcut ? append({ kind: 'add', name: `${name}.add`, inputs: [input, output] }) : output;
      inChannels = outChannels;
    }
  }
  input = append(...unit(`features.${position}`, input, LAST_CHANNELS, { kernel: 1 }));
  append(
    { kind: 'global_average_pool', name: 'avgpool', input },
    dropout('classifier.0', 'avgpool', 0.2),
    fullyConnected('classifier.1', 'classifier.0', classes),
    { kind: 'softmax', name: 'softmax', input: 'classifier.1' },
  );
  return { layers };
}

interface BlockShape {
  readonly inChannels: number;
  readonly expansion: 1 | 6;
  readonly outChannels: number;
  readonly stride: 1 | 2;
}

/** 1 x 1 to the expanded width where it is wider, 3 x 3 of each channel by itself, 1 x 1 to the output without ReLU. */
function expandedBlock(name: string, input: string, { inChannels, expansion, outChannels, stride }: BlockShape): Layer[] {
  const width = expansion * inChannels;
  const layers: Layer[] = [];
  let [place, last] = [0, input];
  if (expansion > 1) {
    layers.push(...unit(`${name}.conv.${place}`, last, width, { kernel: 1 }));
    last = `${name}.conv.${place++}.2`;
  }
  layers.push(...unit(`${name}.conv.${place}`, last, width, { kernel: 3, stride, groups: width }));
  last = `${name}.conv.${place++}.2`;
  layers.push(
    convolution(`${name}.conv.${place}`, last, outChannels, { kernel: 1 }),
    batchNorm(`${name}.conv.${place + 1}`, `${name}.conv.${place}`),
  );
  return layers;
}

/** Convolution, batch norm and ReLU up to 6, as `${name}.0`, `${name}.1` and `${name}.2`. */
function unit(name: string, input: string, outChannels: number, options: Parameters<typeof convolution>[3]): Layer[] {
  return [convolution(`${name}.0`, input, outChannels, options), batchNorm(`${name}.1`, `${name}.0`), relu(`${name}.2`, `${name}.1`, 6)];
}
