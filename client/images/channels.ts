/**
 * Brings 8-bit pixels (height, width, channels) to the channels that a classifier takes, as the server does: 1 channel is grey, 3 are RGB,
 * 4 the inks cyan, magenta, yellow and black.
 */
export function toChannels(pixels: Uint8Array, from: number, to: 1 | 3): Uint8Array {
  if (from === to) return pixels;
  if (from === 1) return repeated(pixels);
  const rgb = from === 4 ? withoutInks(pixels) : pixels;
  return to === 1 ? grey(rgb) : rgb;
}

function repeated(pixels: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(pixels.length * 3);
  for (const [index, value] of pixels.entries()) rgb.fill(value, 3 * index, 3 * index + 3);
  return rgb;
}

/** g = floor((299 R + 587 G + 114 B + 500) / 1000), as HALCON's rgb1_to_gray weighs them. */
function grey(rgb: Uint8Array): Uint8Array {
  const result = new Uint8Array(rgb.length / 3);
  for (let pixel = 0; pixel < result.length; pixel++) {
    const [red, green, blue] = [rgb[3 * pixel], rgb[3 * pixel + 1], rgb[3 * pixel + 2]] as [number, number, number];
    result[pixel] = Math.floor((299 * red + 587 * green + 114 * blue + 500) / 1000);
  }
  return result;
}

/** R = floor(((255 - C) (255 - K) + 127) / 255), G and B from magenta and yellow. */
function withoutInks(inks: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((inks.length / 4) * 3);
  for (let pixel = 0; pixel < rgb.length / 3; pixel++) {
    const light = 255 - (inks[4 * pixel + 3] as number);
    for (let channel = 0; channel < 3; channel++) {
      rgb[3 * pixel + channel] = Math.floor(((255 - (inks[4 * pixel + channel] as number)) * light + 127) / 255);
    }
  }
  return rgb;
}
