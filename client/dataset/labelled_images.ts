import type { PixelBatch } from '../images/image.js';

/** A data set of 8-bit images of one size in one array, with the position of each image's class. */
export interface LabelledImages {
  /** (count, height, width, channels). */
  readonly images: PixelBatch & { readonly data: Uint8Array };
  /** Position of each image's class in the list of classes, counted from 0. */
  readonly labels: Uint8Array;
}

/** Some of the images, in the order asked for, with their labels. */
export function selectImages(set: LabelledImages, indices: readonly number[]): LabelledImages {
  const [count, height, width, channels] = set.images.shape;
  const size = height * width * channels;
  const data = new Uint8Array(indices.length * size);
  const labels = new Uint8Array(indices.length);
  for (const [position, index] of indices.entries()) {
    if (!Number.isInteger(index) || index < 0 || index >= count) throw new RangeError(`image ${index}: the set has ${count}`);
    data.set(set.images.data.subarray(index * size, (index + 1) * size), position * size);
    labels[position] = set.labels[index] as number;
  }
  return { images: { data, shape: [indices.length, height, width, channels] }, labels };
}
