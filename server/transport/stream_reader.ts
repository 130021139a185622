import type { ServerHttp2Stream } from 'node:http2';
import { Socket } from 'node:net';
import { STREAM_WINDOW_BYTES } from './receive_window.js';

/** What reads a stream. */
export interface StreamReader {
  /** Asks the other side, by its window, to wait. What it has sent already still comes. */
  pause(): void;
  resume(): void;
  /** What was given so far is done with, and may be overwritten. */
  release(): void;
}

/** Bytes of a block of memory that bytes of a stream land in. */
export const BLOCK_BYTES = 64 * 1024;

/** A block with less room than HTTP/2's frames of 16 KiB is left for another. */
const LEAST_ROOM = 16 * 1024;

/** Free blocks that are kept: as many as a call fills that is read from more slowly than its client sends. */
const SPARE_BLOCKS = STREAM_WINDOW_BYTES / BLOCK_BYTES;

/**
 * Calls `take` with the bytes of a stream as they come. They are valid until {@link StreamReader.release}, which is also to be called at the
 * end.
 *
 * By itself Node.js gives each frame as a view of the buffer that it read from the socket into: each 64 KiB are an allocation, and wait for a
 * collection of garbage. Here they are copied to blocks that are used again as soon as they are done with, by the means that {@link Socket} has for it
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

  const landing = new Landing();
  // Bytes may come for as long as the stream is there, wanted or not, and may be held when it is gone.
  stream.once('close', () => landing.close());
  properties[readSymbols.buffer] = landing.room;
  properties[readSymbols.bufferCallback] = (count: number) => take(landing.landed(count));
  properties[readSymbols.nextBuffer] = () => landing.room;
  handle()?.useUserBuffer(landing.room);
  return { pause: () => handle()?.readStop(), resume: () => handle()?.readStart(), release: () => landing.release() };
}

const spare: Buffer[] = [];

function takeBlock(): Buffer {
  // The one that was given back last is the likeliest to be in the processor's caches.
  return spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
}

function giveBack(block: Buffer): void {
  if (spare.length < SPARE_BLOCKS) spare.push(block);
}

/** Where the bytes of a stream go: block after block, each for others again when what is in it has been released. */
class Landing {
  /** Where the next bytes go: the free rest of {@link #block}. */
  room: Buffer;
  #block: Buffer;
  /** Blocks before the present one, with bytes that have not been released. */
  #full: Buffer[] = [];
  /** Whether there are such bytes at all. */
  #held = false;
  #closed = false;

  constructor() {
    this.#block = takeBlock();
    this.room = this.#block;
  }

  /** @returns the bytes that have come to {@link room}, which is elsewhere from now on */
  landed(count: number): Buffer {
    const bytes = this.room.subarray(0, count);
    this.#held = true;
    this.room = this.room.subarray(count);
    if (this.room.length < LEAST_ROOM) {
      this.#full.push(this.#block);
      this.#block = takeBlock();
      this.room = this.#block;
    }
    return bytes;
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    for (const block of this.#full) giveBack(block);
    this.#full = [];
    if (this.#closed) giveBack(this.#block);
  }

  /** Nothing lands any more. */
  close(): void {
    this.#closed = true;
    if (!this.#held) giveBack(this.#block);
  }
}
