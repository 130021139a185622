import type { Http2Server } from 'node:http2';
import type { Server, ServerCredentials } from '@grpc/grpc-js';

/**
 * What grpc-js 1.14 keeps inside its server and offers no option for. Only this file knows it; an update that moves these parts ends
 * the start of the daemon with an error instead of undoing limits in silence.
 */
interface GrpcServerInternals {
  /** Options of every HTTP/2 server that it makes. */
  commonServerOptions: { settings?: { maxConcurrentStreams?: number; initialWindowSize?: number } };
  /** Makes one HTTP/2 server for each address to listen on. */
  createHttp2Server(credentials: ServerCredentials): Http2Server;
}

/** Calls `adjust` with each HTTP/2 server that `server` makes, before it listens. Call it before bindAsync. */
export function onHttp2Server(server: Server, adjust: (http2Server: Http2Server) => void): void {
  const internals = internalsOf(server);
  const create = internals.createHttp2Server.bind(server);
  internals.createHttp2Server = (credentials) => {
    const http2Server = create(credentials);
    adjust(http2Server);
    return http2Server;
  };
}

/** Sets what the server advertises in its SETTINGS frame as the window of a new stream. Call it before bindAsync. */
export function setInitialWindowSize(server: Server, bytes: number): void {
  const options = internalsOf(server).commonServerOptions;
  options.settings = { ...options.settings, initialWindowSize: bytes };
}

function internalsOf(server: Server): GrpcServerInternals {
  const internals = server as unknown as Partial<GrpcServerInternals>;
  if (typeof internals.createHttp2Server !== 'function' || typeof internals.commonServerOptions !== 'object') {
    throw new Error(
      'this version of @grpc/grpc-js keeps its HTTP/2 servers elsewhere: the receive window cannot be raised; install 1.14.7',
    );
  }
  return internals as GrpcServerInternals;
}
