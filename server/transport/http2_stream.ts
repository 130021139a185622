import type { ServerHttp2Stream } from 'node:http2';

/**
 * What grpc-js 1.14 keeps inside a server's call. Only this file knows it; an update that moves these parts ends the first upload with an
 * error.
 */
export interface GrpcCallInternals {
  readonly stream: ServerHttp2Stream;
  readonly handler: { deserialize(message: Buffer): unknown };
  /** `grpc-encoding` of the call. */
  readonly incomingEncoding: string;
  /** Bytes of one message; -1 for any number. */
  readonly maxReceiveMessageSize: number;
}

/** @param call of which nothing has been read yet */
export function internalsOf(call: unknown): GrpcCallInternals {
  const { call: internals } = call as { readonly call?: Partial<GrpcCallInternals> };
  if (
    typeof internals?.stream?.resume !== 'function' ||
    typeof internals.handler?.deserialize !== 'function' ||
    typeof internals.incomingEncoding !== 'string' ||
    typeof internals.maxReceiveMessageSize !== 'number'
  ) {
    throw new Error('this version of @grpc/grpc-js keeps the streams of its calls elsewhere: nothing can be received; install 1.14.7');
  }
  return internals as GrpcCallInternals;
}
