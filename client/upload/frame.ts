/** Field 2 (`pixels` or `data`) of every upload's message, wire type 2: length-delimited. */
const BYTES_FIELD_TAG = (2 << 3) | 2;

/** A length below 2^28 takes at most 4 bytes as a varint. */
const MAXIMUM_LENGTH = 2 ** 28 - 1;

/** In front of each message of a call: whether it is compressed, and its length in 4 bytes, the most significant first. */
const FRAME_HEAD_BYTES = 5;

/** An encoded message as gRPC sends it over HTTP/2. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(FRAME_HEAD_BYTES + message.byteLength);
  framed[0] = 0;
  framed.writeUInt32BE(message.byteLength, 1);
  framed.set(message, FRAME_HEAD_BYTES);
  return framed;
}

/**
 * What stands in front of so many bytes of images on the wire: together they are the frame of the upload's message that carries these bytes
 * and nothing else, as the generated encoder makes it of `{ pixels }`. The bytes themselves need not be copied.
 */
export function chunkHead(length: number): Buffer {
  if (length < 1 || length > MAXIMUM_LENGTH) throw new RangeError(`a chunk of ${length} bytes`);
  const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES + 1 + varintSize(length));
  head[0] = 0;
  head.writeUInt32BE(1 + varintSize(length) + length, 1);
  head[FRAME_HEAD_BYTES] = BYTES_FIELD_TAG;
  let offset = FRAME_HEAD_BYTES + 1;
  let rest = length;
  while (rest > 0x7f) {
    head[offset++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  head[offset] = rest;
  return head;
}

function varintSize(value: number): number {
  return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : 4;
}
