import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { METHODS, type Method } from './calls.js';

/** A gRPC frame: not compressed, length in four bytes, message. */
export function grpcFrame(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.byteLength);
  frame.writeUInt32BE(message.byteLength, 1);
  frame.set(message, 5);
  return frame;
}

/** A connection without any gRPC library: for what no well-behaved client does. Errors of the connection are left to the test. */
export function openSession(address: string): ClientHttp2Session {
  const session = connect(`http://${address}`);
  session.on('error', () => undefined);
  return session;
}

/** Starts a call; the test writes its frames. */
export function startCall(session: ClientHttp2Session, method: Method): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': METHODS[method].path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => undefined);
  return stream;
}

/** What the server said at the end: `grpc-status`, or null where the stream was reset; `rstCode` then tells why. */
export interface CallEnd {
  readonly grpcStatus: number | null;
  readonly rstCode: number;
}

export function endOf(stream: ClientHttp2Stream): Promise<CallEnd> {
  return new Promise((resolve) => {
    let grpcStatus: number | null = null;
    const read = (headers: IncomingHttpHeaders) => {
      if (headers['grpc-status'] !== undefined) grpcStatus = Number(headers['grpc-status']);
    };
    stream.on('response', read).on('trailers', read).resume();
    stream.on('close', () => resolve({ grpcStatus, rstCode: stream.rstCode ?? 0 }));
  });
}
