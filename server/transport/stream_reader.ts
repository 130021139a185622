import type { ServerHttp2Stream } from 'node:http2';
import { Socket } from 'node:net';

/** What reads a stream. */
export interface StreamReader {
  /** Asks the other side, by its window, to wait. What it has sent already still comes. */
  pause(): void;
  resume(): void;
  /** What was given so far is done with, and may be overwritten. */
  release(): void;
}

/** Bytes of a landing place: what a call may run ahead of its handler, and what one reading of the socket brings beyond that. */
export const LANDING_BYTES = 384 * 1024;

/** Bytes of memory that is made where both places are full. */
const OVERFLOW_BYTES = 64 * 1024;

/** A place with less room than HTTP/2's frames of 16 KiB is left for another. */
const LEAST_ROOM = 16 * 1024;

/** Pairs of landing places that are kept for later calls. */
const SPARE_PAIRS = 8;

/**
 * Calls `take` with the bytes of a stream as they come. They are valid until {@link StreamReader.release}, which is also to be called at the
 * end.
 *
 * By itself Node.js gives each frame as a view of the buffer that it read from the socket into: each 64 KiB are an allocation, and wait for a
 * collection of garbage. Here they are copied to a place that is used again at once, by the means that {@link Socket} has for it
 * (`onread`) and that HTTP/2 streams have underneath.
 *
 * @param stream that nothing has been read from
 */
export function readStream(stream: ServerHttp2Stream, take: (bytes: Buffer) => void): StreamReader {
  return readToPlaces(stream, take) ?? readByEvents(stream, take);
}

export function readByEvents(stream: ServerHttp2Stream, take: (bytes: Buffer) => void): StreamReader {
  stream.on('data', take);
  return { pause: () => stream.pause(), resume: () => stream.resume(), release: () => {} };
}

/** The part of a stream's handle that is used here. */
interface StreamHandle {
  readStart(): void;
  readStop(): void;
  /** What comes is copied to `place` from now on. */
  useUserBuffer(place: Uint8Array): void;
}

/** Names of what a stream has that is read into places of its own. */
interface ReadSymbols {
  /** The place. */
  readonly buffer: symbol;
  /** Called with the number of bytes that have come there. */
  readonly bufferCallback: symbol;
  /** Called for the next place. */
  readonly nextBuffer: symbol;
}

/** Those of this version of Node.js; null where it has others. */
const readSymbols = findReadSymbols();

function findReadSymbols(): ReadSymbols | null {
  const onread = { buffer: Buffer.alloc(1), callback: () => true };
  // The constructor takes the option, and its type says so of connect() alone.
  const socket = new Socket({ onread } as ConstructorParameters<typeof Socket>[0]);
  const buffer = symbolOf(socket, 'kBuffer');
  const bufferCallback = symbolOf(socket, 'kBufferCb');
  const nextBuffer = symbolOf(socket, 'kBufferGen');
  return buffer === null || bufferCallback === null || nextBuffer === null ? null : { buffer, bufferCallback, nextBuffer };
}

/** The symbol of that description that the object, or one that it inherits from, has a property of. */
function symbolOf(object: object, description: string): symbol | null {
  for (let owner: object | null = object; owner !== null; owner = Object.getPrototypeOf(owner)) {
    const symbol = Object.getOwnPropertySymbols(owner).find((one) => one.description === description);
    if (symbol !== undefined) return symbol;
  }
  return null;
}

/** @returns null where this version of Node.js keeps what it takes elsewhere */
export function readToPlaces(stream: ServerHttp2Stream, take: (bytes: Buffer) => void): StreamReader | null {
  const handleSymbol = symbolOf(stream, 'kHandle');
  if (readSymbols === null || handleSymbol === null) return null;
  const properties = stream as unknown as Record<symbol, unknown>;
  const handle = () => properties[handleSymbol] as StreamHandle | undefined;
  if (typeof handle()?.useUserBuffer !== 'function') return null;

  const landing = new Landing(spare.pop() ?? newPair());
  // Bytes may come for as long as the stream is there, wanted or not, and may be held when it is gone.
  stream.once('close', () => landing.close());
  properties[readSymbols.buffer] = landing.room;
  properties[readSymbols.bufferCallback] = (count: number) => take(landing.landed(count));
  properties[readSymbols.nextBuffer] = () => landing.room;
  handle()?.useUserBuffer(landing.room);
  return { pause: () => handle()?.readStop(), resume: () => handle()?.readStart(), release: () => landing.release() };
}

type Pair = readonly [Buffer, Buffer];

const spare: Pair[] = [];

function newPair(): Pair {
  return [Buffer.allocUnsafeSlow(LANDING_BYTES), Buffer.allocUnsafeSlow(LANDING_BYTES)];
}

/**
 * Where the next bytes of a stream go: to one of two places, from its front, while what came before lies in the other. A client that was told
 * to wait may fill both; what more comes then gets memory of its own.
 */
class Landing {
  /** The free rest of a place. */
  room: Buffer;
  #present: Buffer;
  #other: Buffer;
  /** Whether all that has landed is done with. */
  #released = true;
  #closed = false;

  constructor(private readonly pair: Pair) {
    const [present, other] = pair;
    this.room = present;
    this.#present = present;
    this.#other = other;
  }

  /** @returns the bytes that have come to {@link room}, which is elsewhere from now on */
  landed(count: number): Buffer {
    const bytes = this.room.subarray(0, count);
    if (this.#released) {
      this.#released = false;
      [this.#present, this.#other] = [this.#other, this.#present];
      this.room = this.#present;
    } else if (this.room.length - count >= LEAST_ROOM) this.room = this.room.subarray(count);
    else this.room = Buffer.allocUnsafeSlow(OVERFLOW_BYTES);
    return bytes;
  }

  release(): void {
    if (this.#closed && !this.#released) this.#giveBack();
    this.#released = true;
  }

  /** Nothing lands any more. */
  close(): void {
    this.#closed = true;
    if (this.#released) this.#giveBack();
  }

  #giveBack(): void {
    if (spare.length < SPARE_PAIRS) spare.push(this.pair);
  }
}
