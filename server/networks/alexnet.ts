import type { Extent, Layer, NetworkGraph } from '../../native/graph.js';
import type { GraphOptions, NetworkDefinition } from './definition.js';
import { torchvisionInput } from './input.js';
import { convolution, dropout, fullyConnected, maxPool, relu } from './layers.js';
import { torchvisionWeights } from './pretrained_torchvision.js';

interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

const POOL: Window = { kernel: 3, stride: 2, padding: 0 };

/** The convolutional part, numbered as torchvision has it: each convolution is followed by a ReLU, some by a pool. */
const FEATURES: readonly (Window & { readonly outChannels: number; readonly pooled: boolean })[] = [
  { outChannels: 64, kernel: 11, stride: 4, padding: 2, pooled: true },
  { outChannels: 192, kernel: 5, stride: 1, padding: 2, pooled: true },
  { outChannels: 384, kernel: 3, stride: 1, padding: 1, pooled: false },
  { outChannels: 256, kernel: 3, stride: 1, padding: 1, pooled: false },
  { outChannels: 256, kernel: 3, stride: 1, padding: 1, pooled: true },
];
const HIDDEN_FEATURES = 4096;
const DROPOUT = 0.5;

/**
 * Krizhevsky: One weird trick for parallelizing convolutional neural networks (2014), in the topology and with the tensor names of
 * torchvision.models.alexnet, so that its weights for 224 x 224 load as they are.
 *
 * Other image sizes: torchvision averages the features to 6 x 6, which is the identity at 224 x 224, and takes images from 63 x 63.
 * Here the fully connected part reads the features as they are, so that it fits the image size and has no more weights than it needs:
 * 1 x 1 x 256 features at 29 x 29 instead of 36 times the same. So another size re-initialises it. The convolutional part gives
 * torchvision's features at every size from 63 on; below, the features are smaller than a pool's window, which is then cut to
 * what there is.
 */
export const alexnet: NetworkDefinition = {
  name: 'alexnet',
  description: 'AlexNet in the topology and with the tensor names of torchvision, for images from 29 x 29',
  minSize: 29,
  defaultSize: 224,
  resizable: true,
  resizeKeepsWeights: false,
  defaultBatchSize: 230,
  defaultWeightPrior: 0.0005,
  defaultClassCount: 1000,
  classLayer: 'classifier.6',
  pretrained: torchvisionWeights('alexnet'),
  graph: alexnetGraph,
};

function alexnetGraph({ classes, channels, height, width }: GraphOptions): NetworkGraph {
  const layers: Layer[] = [torchvisionInput(channels)];
  let input = 'input';
  let extent: Extent = [height, width];
  let position = 0;
  for (const { outChannels, pooled, ...window } of FEATURES) {
    const name = `features.${position++}`;
    layers.push(convolution(name, input, outChannels, { ...window, bias: true }));
    input = `features.${position++}`;
    layers.push(relu(input, name));
    extent = outputExtent(extent, window);
    if (!pooled) continue;
    const kernel: Extent = [Math.min(POOL.kernel, extent[0]), Math.min(POOL.kernel, extent[1])];
    const pool = `features.${position++}`;
    layers.push(maxPool(pool, input, { ...POOL, kernel }));
    input = pool;
    extent = [windows(extent[0], kernel[0], POOL), windows(extent[1], kernel[1], POOL)];
  }
  layers.push(
    dropout('classifier.0', input, DROPOUT),
    fullyConnected('classifier.1', 'classifier.0', HIDDEN_FEATURES),
    relu('classifier.2', 'classifier.1'),
    dropout('classifier.3', 'classifier.2', DROPOUT),
    fullyConnected('classifier.4', 'classifier.3', HIDDEN_FEATURES),
    relu('classifier.5', 'classifier.4'),
    fullyConnected('classifier.6', 'classifier.5', classes),
    { kind: 'softmax', name: 'softmax', input: 'classifier.6' },
  );
  return { layers };
}

function outputExtent([height, width]: Extent, window: Window): Extent {
  return [windows(height, window.kernel, window), windows(width, window.kernel, window)];
}

/** How often a window fits along an axis. */
function windows(extent: number, kernel: number, { stride, padding }: Omit<Window, 'kernel'>): number {
  return Math.floor((extent + 2 * padding - kernel) / stride) + 1;
}
