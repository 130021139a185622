import { refuse } from '../errors/refusal.js';

/** Interleaved 8-bit pixels: grey, grey and alpha, RGB, RGB and alpha. */
export interface DecodedPixels {
  readonly data: Uint8Array;
  readonly channels: 1 | 2 | 3 | 4;
}

const OPAQUE = 255;

/**
 * The same picture in the channels asked for, where that loses nothing.
 *
 * @throws Refusal WRONG_IMAGE_CHANNELS with the index of the image
 */
export function toChannels(pixels: DecodedPixels, index: number, wanted: { readonly channels: 1 | 3 }): Uint8Array {
  const { data, channels } = pixels;
  if (channels === wanted.channels) return data;
  const refusal = () => refuse('WRONG_IMAGE_CHANNELS', { image: index, got: channels, wanted: wanted.channels });
  const colours = channels >= 3 ? 3 : 1;
  if (channels > colours && !isOpaque(data, channels)) throw refusal();
  if (colours > wanted.channels && !isGrey(data, channels)) throw refusal();
  const count = data.length / channels;
  const result = new Uint8Array(count * wanted.channels);
  const second = colours === 3 ? 1 : 0;
  const third = colours === 3 ? 2 : 0;
  for (let pixel = 0, from = 0, to = 0; pixel < count; pixel++, from += channels, to += wanted.channels) {
    result[to] = data[from] as number;
    if (wanted.channels === 3) {
      result[to + 1] = data[from + second] as number;
      result[to + 2] = data[from + third] as number;
    }
  }
  return result;
}

function isOpaque(data: Uint8Array, channels: number): boolean {
  for (let alpha = channels - 1; alpha < data.length; alpha += channels) {
    if (data[alpha] !== OPAQUE) return false;
  }
  return true;
}

function isGrey(data: Uint8Array, channels: number): boolean {
  for (let red = 0; red < data.length; red += channels) {
    if (data[red] !== data[red + 1] || data[red] !== data[red + 2]) return false;
  }
  return true;
}
