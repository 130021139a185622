/** Takes bytes as fast as they come, over HTTP/2 or over plain TCP, with or without TLS, and tells at the end how many came. */
import { readFileSync } from 'node:fs';
import { createServer as createHttp2Server, createSecureServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { createServer as createTcpServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES } from '../../server/transport/receive_window.js';
import { serve } from '../worker.js';
import type { ServerRequest } from './case.js';

function http2Server({ certificate, key }: ServerRequest): Http2Server {
  const settings = { initialWindowSize: STREAM_WINDOW_BYTES };
  const server =
    certificate === null || key === null
      ? createHttp2Server({ settings })
      : createSecureServer({ settings, cert: readFileSync(certificate), key: readFileSync(key) });
  server.on('session', (session: ServerHttp2Session) => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
  server.on('stream', (stream) => {
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    stream.on('end', () => {
      stream.respond({ ':status': 200 });
      stream.end(String(bytes));
    });
  });
  return server as Http2Server;
}

function tcpServer({ certificate, key }: ServerRequest): Server {
  const take = (socket: Socket) => {
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    socket.on('end', () => socket.end(String(bytes)));
  };
  if (certificate === null || key === null) return createTcpServer({ allowHalfOpen: true }, take);
  return createTlsServer({ allowHalfOpen: true, cert: readFileSync(certificate), key: readFileSync(key) }, take);
}

function listenOptions(address: string): ListenOptions {
  if (address.startsWith('unix:')) return { path: address.slice('unix:'.length) };
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

await serve(async ({ prepare }) => {
  const request = prepare as ServerRequest;
  const listening = request.protocol === 'http2' ? http2Server(request) : tcpServer(request);
  await new Promise<void>((resolve) => listening.listen(listenOptions(request.address), () => resolve()));
  const bound = listening.address();
  return { address: bound === null || typeof bound === 'string' ? request.address : `127.0.0.1:${bound.port}` };
});
process.exit(0);
