import { type ServerDuplexStream, type ServerReadableStream, status } from '@grpc/grpc-js';
import { type Arrival, FrameError, FrameReader } from './frame_reader.js';
import { internalsOf } from './http2_stream.js';
import { type CallMessages, messagesOf } from './messages.js';
import { readStream } from './stream_reader.js';

/** Bytes that a call may run ahead of its handler before it is not read from; what comes then waits in the call's window. */
const READ_AHEAD_BYTES = 256 * 1024;

/**
 * The messages of a call that uploads, read from the HTTP/2 stream under it. Of messages that carry bytes alone those that have come are one,
 * with `pieces` as the network delivered them: grpc-js would copy the pieces together, and each message costs it more than its bytes do.
 *
 * @param signal a reader that waits when it is aborted is told its reason
 */
export function uploadMessagesOf<Message>(
  call: ServerReadableStream<Message, unknown> | ServerDuplexStream<Message, unknown>,
  signal: AbortSignal,
): CallMessages<Message> {
  const internals = internalsOf(call);
  // What is compressed is left to grpc-js, which can decompress it.
  if (internals.incomingEncoding !== 'identity') return messagesOf(call, signal);
  const { stream, handler, maxReceiveMessageSize } = internals;
  const empty = handler.deserialize(Buffer.alloc(0)) as Message & object;
  const reader = new FrameReader(maxReceiveMessageSize < 0 ? Number.POSITIVE_INFINITY : maxReceiveMessageSize);
  let arrivals: Arrival[] = [];
  let position = 0;
  let ahead = 0;
  let ended = false;
  let wakesSoon = false;
  let wake = (): void => {};
  const end = () => {
    ended = true;
    wake();
  };
  const endWith = (code: status, details: string) => {
    internals.sendStatus({ code, details, metadata: null });
    end();
  };
  const take = (data: Buffer) => {
    if (ended) return source.release();
    try {
      reader.push(data, arrivals);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      endWith(error.tooLarge ? status.RESOURCE_EXHAUSTED : status.INTERNAL, error.message);
    }
    ahead += data.length;
    if (ahead >= READ_AHEAD_BYTES) {
      source.pause();
      wake();
    } else if (!wakesSoon) {
      // Node.js runs all promises after each frame of 16 KiB at most. What else has come is delivered in this turn of the event loop.
      wakesSoon = true;
      setImmediate(() => {
        wakesSoon = false;
        wake();
      });
    }
  };
  // grpc-js has not begun to read: it does so when it is asked for a message, which nobody does.
  for (const event of ['data', 'end'] as const) stream.removeAllListeners(event);
  stream.pause();
  const source = readStream(stream, take);
  source.pause();
  for (const event of ['end', 'close', 'error'] as const) stream.on(event, end);
  signal.addEventListener('abort', () => wake(), { once: true });

  const decode = (message: Buffer): Message | null => {
    try {
      return handler.deserialize(message) as Message;
    } catch {
      endWith(status.INTERNAL, 'Error deserializing request');
      return null;
    }
  };
  /** The bytes that have come behind those at hand. */
  const morePieces = (): Buffer[] => {
    const pieces: Buffer[] = [];
    for (let bytes = arrivals[position]?.bytes; bytes != null; bytes = arrivals[position]?.bytes) {
      pieces.push(bytes);
      position++;
    }
    return pieces;
  };
  const next = async (): Promise<IteratorResult<Message, undefined>> => {
    for (;;) {
      signal.throwIfAborted();
      const arrival = arrivals[position++];
      if (arrival !== undefined) {
        if (arrival.bytes !== null) return { done: false, value: { ...empty, pieces: [arrival.bytes, ...morePieces()] } };
        const value = decode(arrival.message);
        if (value === null) continue;
        return { done: false, value };
      }
      if (ended) return { done: true, value: undefined };
      arrivals = [];
      position = 0;
      ahead = 0;
      source.release();
      source.resume();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const leave = () => {
    end();
    arrivals = [];
    source.release();
    source.resume();
  };
  return { [Symbol.asyncIterator]: () => ({ next }), leave };
}
