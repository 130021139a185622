import { isDeepStrictEqual } from 'node:util';
import type { InputSize, PlanOptions, TrainOptions } from '../../native/binding.js';
import type { NetworkGraph } from '../../native/graph.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { classesDiffer, type Settings } from '../parameters/settings.js';

/** The settings as the engine takes them. */

export function planOptions({ batchSize, precision, deterministic, freeze }: Settings): PlanOptions {
  return { batchSize, precision, deterministic, frozenLayers: freeze.layers };
}

/** @param step steps applied before this one */
export function trainOptions(settings: Settings, step: number): TrainOptions {
  const { batchSizeMultiplier, learningRate, momentum, weightPrior, weightDecay, maxGradientNorm, classWeights } = settings;
  const { adamBeta1, adamBeta2, adamEpsilon } = settings;
  const rule = { learningRate, momentum, weightPrior, weightDecay, adamBeta1, adamBeta2, adamEpsilon, maxGradientNorm };
  return { ...planOptions(settings), ...rule, batchSizeMultiplier, classWeights, step };
}

export function inputSize({ imageChannels, imageHeight, imageWidth }: Settings): InputSize {
  return { channels: imageChannels, height: imageHeight, width: imageWidth };
}

/** Bytes of one image of float32. */
export function imageBytes({ imageChannels, imageHeight, imageWidth }: Settings): number {
  return imageChannels * imageHeight * imageWidth * Float32Array.BYTES_PER_ELEMENT;
}

/** Outputs of the last layer. */
export function classCount(network: NetworkDefinition, { classes }: Settings): number {
  return classes.length || network.defaultClassCount;
}

export function networkGraph(network: NetworkDefinition, settings: Settings, classes = classCount(network, settings)): NetworkGraph {
  const { imageChannels: channels, imageWidth: width, imageHeight: height, batchNormMomentum: momentum } = settings;
  const { layers } = network.graph({ classes, channels, width, height });
  return { layers: layers.map((layer) => (layer.kind === 'batch_norm' ? { ...layer, momentum } : layer)) };
}

/** Whether the graph or the shapes in it differ. */
export function graphDiffers(a: Settings, b: Settings): boolean {
  const layersDiffer = a.imageChannels !== b.imageChannels || a.batchNormMomentum !== b.batchNormMomentum;
  return sizeDiffers(a, b) || layersDiffer || classesDiffer(a, b);
}

/** Whether the plans of a step differ in anything but the graph, in the shapes of its values, or the solver's state in its size. */
export function planDiffers(a: Settings, b: Settings): boolean {
  return !isDeepStrictEqual(planned(a), planned(b));
}

const planned = (settings: Settings) => [planOptions(settings), inputSize(settings), settings.solverType];

/** Whether width or height differ. */
export function sizeDiffers(a: Settings, b: Settings): boolean {
  return a.imageWidth !== b.imageWidth || a.imageHeight !== b.imageHeight;
}
