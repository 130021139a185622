import type { PixelBatch } from '../images/image.js';

/** Mirrors some images of a batch left to right, in place. @param choose is asked for each image, by its position */
export function mirrorColumns(images: PixelBatch, choose: (image: number) => boolean): void {
  const [count, height, width, channels] = images.shape;
  const rowLength = width * channels;
  for (let image = 0; image < count; image++) {
    if (!choose(image)) continue;
    for (let row = 0; row < height; row++) {
      const start = (image * height + row) * rowLength;
      mirrorRow(images.data, start, width, channels);
    }
  }
}

function mirrorRow(data: Uint8Array | Float32Array, start: number, width: number, channels: number): void {
  for (let left = start, right = start + (width - 1) * channels; left < right; left += channels, right -= channels) {
    for (let channel = 0; channel < channels; channel++) {
      const value = data[left + channel] as number;
      data[left + channel] = data[right + channel] as number;
      data[right + channel] = value;
    }
  }
}
