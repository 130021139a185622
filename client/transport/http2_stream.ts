import { type ClientHttp2Stream, constants } from 'node:http2';
import { type ClientDuplexStream, type ClientWritableStream, status } from '@grpc/grpc-js';

/** A call that sends messages which are encoded already. */
export type SendingCall = ClientWritableStream<Buffer> | ClientDuplexStream<Buffer, unknown>;

/**
 * What grpc-js 1.14 keeps inside a call: the interceptors' end, the call while its channel connects, its attempts, the attempt that was given
 * to a connection, the stream there. Only this file knows it; an update that moves these parts ends the first upload with an error.
 */
interface GrpcCallInternals {
  readonly call?: {
    readonly call?: { readonly child?: { readonly underlyingCalls?: readonly { readonly call?: Attempt }[] } };
    cancelWithStatus(code: status, details: string): void;
  };
}

interface Attempt {
  /** Null while the channel connects. */
  readonly child?: { readonly http2Stream?: ClientHttp2Stream } | null;
}

/**
 * The HTTP/2 stream of a call whose first message has been written: what is written to it follows that message. grpc-js copies each message
 * into a frame of its own on the way there, which costs more than all the rest; connecting, deadline, cancelling and the answer stay with it.
 *
 * @returns null as long as the channel connects, after a lost connection for instance
 */
export function http2StreamOf(call: SendingCall): ClientHttp2Stream | null {
  const internals = (call as unknown as GrpcCallInternals).call;
  const attempt = internals?.call?.child?.underlyingCalls?.at(-1)?.call;
  if (attempt?.child === null) return null;
  const stream = attempt?.child?.http2Stream;
  if (internals === undefined || stream === undefined) {
    throw new Error('this version of @grpc/grpc-js keeps the streams of its calls elsewhere: nothing can be uploaded; install 1.14.7');
  }
  // grpc-js would begin the call once more, on another stream and with no more than its first message.
  stream.once('close', () => {
    if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM)
      internals.cancelWithStatus(status.UNAVAILABLE, 'the server refused the stream');
  });
  return stream;
}
