import { crc32 } from '../../checksum/crc32.js';

/** CRC-32 of the bytes that `checksum` stands for, 0 for none, followed by these pieces. */
export function checksumOf(pieces: readonly Uint8Array[], checksum: number): number {
  let sum = checksum;
  for (const piece of pieces) sum = crc32(piece, sum);
  return sum;
}
