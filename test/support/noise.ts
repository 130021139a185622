import { type PixelBatch, Random } from '../../client/index.js';

/** Images of noise, the same for the same seed. */
export function noiseImages(
  count: number,
  [height, width, channels]: readonly [number, number, number],
  seed = 1,
): PixelBatch & { readonly data: Uint8Array } {
  const random = new Random(seed);
  const data = Uint8Array.from({ length: count * height * width * channels }, () => random.below(256));
  return { data, shape: [count, height, width, channels] };
}
