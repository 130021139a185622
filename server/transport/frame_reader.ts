import { CHUNK_BYTES } from '../config.js';

/** What has come of a call's messages, in order: the bytes of a chunk piece by piece as they come, any other message as a whole. */
export type Arrival = { readonly bytes: Buffer; readonly message: null } | { readonly bytes: null; readonly message: Buffer };

/** In front of each message: whether it is compressed, and its length in 4 bytes, the most significant first. */
const FRAME_HEAD_BYTES = 5;

/** A tag of one byte and a length below 2^28. */
const FIELD_HEAD_BYTES = 5;

const HEAD_BYTES = FRAME_HEAD_BYTES + FIELD_HEAD_BYTES;

/** Field 2 (`pixels` or `data`) of every upload's message, wire type 2: length-delimited. */
const BYTES_FIELD_TAG = (2 << 3) | 2;

/** The client breaks gRPC's framing, or sends a message beyond the limit. */
export class FrameError extends Error {
  constructor(
    message: string,
    readonly tooLarge: boolean,
  ) {
    super(message);
  }
}

/**
 * Takes the frames of a call's uploads apart. A message that carries bytes and nothing else, as nearly all do, is not put together first: its
 * bytes go to their place as they are.
 */
export class FrameReader {
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headFilled = 0;
  /** Bytes of the present message that are still to come. */
  #left = 0;
  /** What has come of a message that is put together; null while a chunk passes. */
  #parts: Buffer[] | null = null;

  /** @param maximumMessageBytes of one message */
  constructor(private readonly maximumMessageBytes: number) {}

  /**
   * @param arrivals what has come is added to: the bytes of chunks as views of `data`, messages as copies
   * @returns these
   * @throws FrameError
   */
  push(data: Buffer, arrivals: Arrival[] = []): Arrival[] {
    this.#take(data, arrivals);
    return arrivals;
  }

  #take(data: Buffer, arrivals: Arrival[]): void {
    for (let offset = 0; offset < data.length; ) {
      // Most of what comes is the inside of a chunk.
      if (this.#left > 0)
        offset += this.#body(offset === 0 && data.length <= this.#left ? data : data.subarray(offset, offset + this.#left), arrivals);
      else if (this.#headFilled === 0 && data.length - offset >= HEAD_BYTES) offset += this.#begin(data.subarray(offset), arrivals);
      else offset += this.#fillHead(data.subarray(offset), arrivals);
    }
  }

  /** A head that comes in pieces, or at the end of what has come. */
  #fillHead(data: Buffer, arrivals: Arrival[]): number {
    const wanted = this.#headFilled < FRAME_HEAD_BYTES ? FRAME_HEAD_BYTES : this.#wantedHeadBytes(this.#head);
    const taken = data.copy(this.#head, this.#headFilled, 0, wanted - this.#headFilled);
    this.#headFilled += taken;
    if (this.#headFilled < FRAME_HEAD_BYTES || this.#headFilled < this.#wantedHeadBytes(this.#head)) return taken;
    const head = Buffer.from(this.#head.subarray(0, this.#headFilled));
    this.#headFilled = 0;
    this.#take(head.subarray(this.#begin(head, arrivals)), arrivals);
    return taken;
  }

  #wantedHeadBytes(head: Buffer): number {
    return FRAME_HEAD_BYTES + Math.min(FIELD_HEAD_BYTES, head.readUInt32BE(1));
  }

  /** @param data from the beginning of a message on, its head at least; @returns bytes that are done with */
  #begin(data: Buffer, arrivals: Arrival[]): number {
    if (data[0] !== 0) throw new FrameError('a compressed message in a call without grpc-encoding', false);
    const length = data.readUInt32BE(1);
    if (length > this.maximumMessageBytes) {
      throw new FrameError(`Received message larger than max (${length} vs ${this.maximumMessageBytes})`, true);
    }
    const fieldHead = chunkHeadBytes(data, length);
    this.#left = length - fieldHead;
    this.#parts = fieldHead > 0 ? null : [];
    if (length === 0) arrivals.push({ bytes: null, message: Buffer.alloc(0) });
    return FRAME_HEAD_BYTES + fieldHead;
  }

  #body(bytes: Buffer, arrivals: Arrival[]): number {
    this.#left -= bytes.length;
    if (this.#parts === null) arrivals.push({ bytes, message: null });
    else {
      this.#parts.push(Buffer.from(bytes));
      if (this.#left === 0) arrivals.push({ bytes: null, message: Buffer.concat(this.#parts) });
    }
    return bytes.length;
  }
}

/** Bytes of tag and length where the message has the field of bytes, of a size that is allowed, and nothing else; 0 where it has not. */
function chunkHeadBytes(data: Buffer, length: number): number {
  if (length === 0 || data[FRAME_HEAD_BYTES] !== BYTES_FIELD_TAG) return 0;
  let bytes = 0;
  for (let position = 1; position < Math.min(FIELD_HEAD_BYTES, length); position++) {
    const byte = data[FRAME_HEAD_BYTES + position] as number;
    bytes |= (byte & 0x7f) << (7 * (position - 1));
    if (byte < 0x80) return bytes > 0 && bytes <= CHUNK_BYTES && position + 1 + bytes === length ? position + 1 : 0;
  }
  return 0;
}
