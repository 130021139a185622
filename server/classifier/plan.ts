import { isDeepStrictEqual } from 'node:util';
import type { InputSize, PlanOptions } from '../../native/binding.js';
import type { NetworkGraph } from '../../native/graph.js';
import type { NetworkDefinition } from '../networks/definition.js';
import type { Settings } from '../parameters/settings.js';

/** The settings as the engine takes them. */

export function planOptions({ batchSize, precision, deterministic }: Settings): PlanOptions {
  return { batchSize, precision, deterministic };
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
  const { imageChannels: channels, imageWidth: width, imageHeight: height } = settings;
  return network.graph({ classes, channels, width, height });
}

/** Whether the classes differ in any way; the last layer then starts anew. */
export function classesDiffer(a: Settings, b: Settings): boolean {
  return a.classes.length !== b.classes.length || a.classes.some((name, index) => name !== b.classes[index]);
}

/** Whether the graph or the shapes in it differ. */
export function graphDiffers(a: Settings, b: Settings): boolean {
  return sizeDiffers(a, b) || a.imageChannels !== b.imageChannels || classesDiffer(a, b);
}

/** Whether the plans of a step differ in anything but the graph, or in the shapes of its values. */
export function planDiffers(a: Settings, b: Settings): boolean {
  return !isDeepStrictEqual([planOptions(a), inputSize(a)], [planOptions(b), inputSize(b)]);
}

/** Whether width or height differ. */
export function sizeDiffers(a: Settings, b: Settings): boolean {
  return a.imageWidth !== b.imageWidth || a.imageHeight !== b.imageHeight;
}
