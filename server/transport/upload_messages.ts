import { type ServerDuplexStream, type ServerReadableStream, status } from '@grpc/grpc-js';
import type { TakePieces } from '../upload/messages.js';
import { BrokenCall } from './broken_call.js';
import { type Arrival, FrameError, FrameReader } from './frame_reader.js';
import { type GrpcCallInternals, internalsOf } from './http2_stream.js';
import { type CallMessages, messagesOf } from './messages.js';
import { readStream, type StreamReader } from './stream_reader.js';

/** Bytes that a call may run ahead of its reader before it is not read from; what comes then waits in the call's window. */
const READ_AHEAD_BYTES = 256 * 1024;

/**
 * The messages of a call that uploads, read from the HTTP/2 stream under it: grpc-js would copy the pieces of each together, and each message
 * costs it more than its bytes do.
 *
 * @param signal a reader that waits when it is aborted is told its reason
 */
export function uploadMessagesOf<Message>(
  call: ServerReadableStream<Message, unknown> | ServerDuplexStream<Message, unknown>,
  signal: AbortSignal,
): CallMessages<Message> {
  const internals = internalsOf(call);
  // What is compressed is left to grpc-js, which can decompress it.
  return internals.incomingEncoding === 'identity' ? new StreamMessages(internals, signal) : messagesOf(call, signal);
}

/** Who waits for the next message. */
interface Reader {
  readonly take: TakePieces;
  readonly wake: () => void;
  readonly fail: (error: unknown) => void;
}

class StreamMessages<Message> implements CallMessages<Message> {
  readonly #source: StreamReader;
  readonly #frames: FrameReader;
  /** What has come and is not taken, from {@link #position} on. */
  #arrivals: Arrival[] = [];
  #position = 0;
  /** Bytes of all of {@link #arrivals}. */
  #ahead = 0;
  #paused = true;
  #ended = false;
  /** What is wrong with what came last; it is told when all before it is taken. */
  #broken: BrokenCall | null = null;
  #deliversSoon = false;
  #reader: Reader | null = null;

  constructor(
    private readonly internals: GrpcCallInternals,
    private readonly signal: AbortSignal,
  ) {
    const { stream, maxReceiveMessageSize } = internals;
    this.#frames = new FrameReader(maxReceiveMessageSize < 0 ? Number.POSITIVE_INFINITY : maxReceiveMessageSize);
    // grpc-js has not begun to read: it does so when it is asked for a message, which nobody does.
    for (const event of ['data', 'end'] as const) stream.removeAllListeners(event);
    stream.pause();
    this.#source = readStream(stream, (data) => this.#arrived(data));
    this.#source.pause();
    for (const event of ['end', 'close', 'error'] as const) stream.on(event, () => this.#end());
    signal.addEventListener('abort', () => this.#reader?.wake(), { once: true });
  }

  async next(take: TakePieces): Promise<Message | null> {
    for (;;) {
      this.signal.throwIfAborted();
      this.#give(take);
      const message = this.#takeMessage();
      if (message !== null) return message;
      if (this.#broken !== null) throw this.#broken;
      if (this.#ended) return null;
      this.#readOn();
      await new Promise<void>((resolve, reject) => {
        this.#reader = { take, wake: resolve, fail: reject };
      });
      this.#reader = null;
    }
  }

  leave(): void {
    this.#end();
    this.#readOn();
  }

  #arrived(data: Buffer): void {
    if (this.#ended) {
      this.#source.release();
      return;
    }
    try {
      this.#frames.push(data, this.#arrivals);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#broken = new BrokenCall(error.tooLarge ? status.RESOURCE_EXHAUSTED : status.INTERNAL, error.message);
      this.#end();
    }
    this.#ahead += data.length;
    if (this.#ahead >= READ_AHEAD_BYTES) this.#deliver();
    else if (!this.#deliversSoon) {
      // What comes in this turn of the event loop, in frames of 16 KiB at most, is delivered together.
      this.#deliversSoon = true;
      setImmediate(() => {
        this.#deliversSoon = false;
        this.#deliver();
      });
    }
  }

  /** Gives what has come to who waits for it. As long as that is bytes alone no promise is involved, which would cost more than they do. */
  #deliver(): void {
    const reader = this.#reader;
    if (reader !== null && !this.signal.aborted) {
      try {
        this.#give(reader.take);
      } catch (error) {
        this.#reader = null;
        reader.fail(error);
        return;
      }
      if (this.#ended || this.#position < this.#arrivals.length) reader.wake();
      else this.#readOn();
    } else if (this.#ahead >= READ_AHEAD_BYTES && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  /** The bytes that come next. */
  #give(take: TakePieces): void {
    const pieces: Buffer[] = [];
    for (let bytes = this.#arrivals[this.#position]?.bytes; bytes != null; bytes = this.#arrivals[this.#position]?.bytes) {
      pieces.push(bytes);
      this.#position++;
    }
    if (pieces.length > 0) take(pieces);
  }

  #takeMessage(): Message | null {
    const arrival = this.#arrivals[this.#position];
    if (arrival === undefined || arrival.message === null) return null;
    this.#position++;
    try {
      return this.internals.handler.deserialize(arrival.message) as Message;
    } catch (cause) {
      this.#end();
      throw new BrokenCall(status.INTERNAL, `a message that cannot be decoded: ${(cause as Error).message}`);
    }
  }

  /** Drops what has come: it is taken, or nobody wants it. */
  #readOn(): void {
    this.#arrivals = [];
    this.#position = 0;
    this.#ahead = 0;
    this.#source.release();
    if (!this.#paused) return;
    this.#paused = false;
    this.#source.resume();
  }

  #end(): void {
    this.#ended = true;
    this.#reader?.wake();
  }
}
