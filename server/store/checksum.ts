import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** SHA-256 takes about 1 ms a MiB: other calls get their turn after each of these. */
const SLICE_BYTES = 2 * 1024 * 1024;

/** SHA-256 of the parts one after the other, in hexadecimal digits. */
export async function sha256(parts: Iterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  let sinceTurn = 0;
  for (const part of parts) {
    for (let offset = 0; offset < part.byteLength; offset += SLICE_BYTES) {
      const slice = part.subarray(offset, offset + SLICE_BYTES);
      hash.update(slice);
      sinceTurn += slice.byteLength;
      if (sinceTurn >= SLICE_BYTES) {
        sinceTurn = 0;
        await nextTurn();
      }
    }
  }
  return hash.digest('hex');
}
