/** Bytes of images in one message: backpressure counts 16 messages, so this bounds what waits in memory to 2 MiB a call. */
export const CHUNK_BYTES = 128 * 1024;

/** Field 2 (`pixels` or `data`) of every upload's message, wire type 2: length-delimited. */
const BYTES_FIELD_TAG = (2 << 3) | 2;

/** A length below 2^28 takes at most 4 bytes as a varint. */
const MAXIMUM_LENGTH = 2 ** 28 - 1;

/**
 * The message of an upload that carries bytes alone, with room for the bytes: `payload` is the part of `message` that they go to. This is
 * what the generated encoder makes of `{ pixels }`, without its second copy.
 */
export function allocateChunkMessage(length: number): { readonly message: Buffer; readonly payload: Buffer } {
  if (length < 1 || length > MAXIMUM_LENGTH) throw new RangeError(`a chunk of ${length} bytes`);
  const message = Buffer.allocUnsafeSlow(1 + varintSize(length) + length);
  message[0] = BYTES_FIELD_TAG;
  let offset = 1;
  let rest = length;
  while (rest > 0x7f) {
    message[offset++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  message[offset++] = rest;
  return { message, payload: message.subarray(offset) };
}

function varintSize(value: number): number {
  return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : 4;
}
