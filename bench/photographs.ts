import sharp from 'sharp';
import { type LabelledImages, Random } from '../client/index.js';
import { loadData } from '../demo/data.js';

/** Photographs of CIFAR-10. */
export interface Photographs {
  readonly training: LabelledImages;
  readonly test: LabelledImages;
  readonly classes: number;
}

export async function loadPhotographs(): Promise<Photographs> {
  const { training, test, classes } = await loadData('cifar10', console.error, new AbortController().signal);
  return { training, test, classes: classes.length };
}

/** Steps of labelled images: uint8 (steps, images, size, size, 3) and class indices (steps, images). */
export interface Batches {
  readonly steps: number;
  readonly images: number;
  readonly size: number;
  readonly pixels: Uint8Array;
  readonly labels: Int32Array;
}

/** Batches of images drawn with a seed and enlarged. */
export async function drawBatches(
  { images: { data, shape }, labels }: LabelledImages,
  { steps, images, size, seed }: { readonly steps: number; readonly images: number; readonly size: number; readonly seed: number },
): Promise<Batches> {
  const [count = 0, height = 0, width = 0, channels = 0] = shape;
  const random = new Random(seed);
  const chosen = Array.from({ length: steps * images }, () => random.below(count));
  const bytes = width * height * channels;
  const pixels = new Uint8Array(chosen.length * size * size * channels);
  for (const [position, index] of chosen.entries()) {
    const image = sharp(data.subarray(index * bytes, (index + 1) * bytes), { raw: { width, height, channels: channels as 3 } });
    const enlarged = await image.resize(size, size, { kernel: 'cubic' }).raw().toBuffer();
    pixels.set(enlarged, position * enlarged.length);
  }
  return { steps, images, size, pixels, labels: Int32Array.from(chosen, (index) => labels[index] ?? Number.NaN) };
}
