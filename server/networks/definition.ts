import type { NetworkGraph } from '../../native/graph.js';

/** What a network's graph depends on. The shapes follow from it: the engine infers them. */
export interface GraphOptions {
  /** Outputs of the last layer. */
  readonly classes: number;
  readonly channels: Channels;
  /** Pixels of a row of each image. */
  readonly width: number;
  /** Rows of each image. */
  readonly height: number;
}

export type Channels = 1 | 3;

/** A network as data: what ReadClassifier offers by name. */
export interface NetworkDefinition {
  readonly name: string;
  /** A sentence. */
  readonly description: string;
  /** Smallest image_width and image_height. */
  readonly minSize: number;
  /** Default of image_width and image_height. */
  readonly defaultSize: number;
  /** Whether image_width and image_height can be set at all. */
  readonly resizable: boolean;
  /** Whether another image size keeps all weights; else it initialises the fully connected layers anew. */
  readonly resizeKeepsWeights: boolean;
  readonly defaultBatchSize: number;
  readonly defaultWeightPrior: number;
  /** Outputs of the last layer as long as the classes are not set. */
  readonly defaultClassCount: number;
  /** The layer that a change of the classes initialises anew. */
  readonly classLayer: string;
  /** Where trained weights come from; null where the network has fresh ones only. */
  readonly pretrained: PretrainedWeights | null;
  graph(options: GraphOptions): NetworkGraph;
}

/** Trained weights that users bring themselves. */
export interface PretrainedWeights {
  /** A safetensors file in the folder `pretrained` of the model folder. */
  readonly fileName: string;
  /** How to get it. */
  readonly remedy: string;
}

/** The layers that have something to train, by name. They do not depend on classes, channels or image size. */
export function trainableLayers(network: NetworkDefinition): string[] {
  const trains: ReadonlySet<string> = new Set(['convolution', 'batch_norm', 'fully_connected']);
  return defaultGraph(network)
    .layers.filter(({ kind }) => trains.has(kind))
    .map(({ name }) => name);
}

/** The momentum of the network's batch norms; PyTorch's default where it has none. */
export function batchNormMomentum(network: NetworkDefinition): number {
  const layer = defaultGraph(network).layers.find(({ kind }) => kind === 'batch_norm');
  return layer?.kind === 'batch_norm' ? layer.momentum : 0.1;
}

function defaultGraph(network: NetworkDefinition): NetworkGraph {
  const { defaultClassCount: classes, defaultSize: size } = network;
  return network.graph({ classes, channels: 3, width: size, height: size });
}
