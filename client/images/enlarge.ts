/** Columns and rows of an image. */
export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** What an output pixel takes from the input along one axis: of the pixel at `at` so much, of the one behind it so much; 0 where there is none. */
interface Taps {
  readonly at: number;
  readonly here: number;
  readonly next: number;
}

/**
 * Enlarges 8-bit pixels (height, width, channels) along either axis or both, bilinearly, by the formula of docs/preprocessing.md: the
 * result is the server's, rounded once. libvips would move an image that grows by half a pixel of the smaller grid.
 */
export function enlarge(pixels: Uint8Array, from: Extent, to: Extent, channels: number): Uint8Array {
  const columns = taps(from.width, to.width);
  const rowLength = from.width * channels;
  const result = new Uint8Array(to.width * to.height * channels);
  let output = 0;
  for (const row of taps(from.height, to.height)) {
    const below = row.next === 0 ? 0 : rowLength;
    for (const column of columns) {
      const beside = column.next === 0 ? 0 : channels;
      const total = (row.here + row.next) * (column.here + column.next);
      const start = row.at * rowLength + column.at * channels;
      for (let place = start; place < start + channels; place++) {
        const upper = column.here * (pixels[place] as number) + column.next * (pixels[place + beside] as number);
        const lower = column.here * (pixels[place + below] as number) + column.next * (pixels[place + below + beside] as number);
        // To the nearest whole number, upwards from the middle; all sums are whole numbers below 2^53.
        result[output++] = Math.floor((2 * (row.here * upper + row.next * lower) + total) / (2 * total));
      }
    }
  }
  return result;
}

/** From n pixels to m >= n: w(i, j) = max(0, 1 - |j + 1/2 - (i + 1/2) n/m|), times 2 m. */
function taps(n: number, m: number): Taps[] {
  return Array.from({ length: m }, (_, i) => {
    const weight = (j: number): number => (j < n ? Math.max(0, 2 * m - Math.abs((2 * j + 1) * m - (2 * i + 1) * n)) : 0);
    const at = Math.max(0, Math.floor(((2 * i + 1) * n - m) / (2 * m)));
    return { at, here: weight(at), next: weight(at + 1) };
  });
}
