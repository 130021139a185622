/** Sends bytes as fast as they are taken, over HTTP/2 or over plain TCP, with or without TLS. A step is as many bytes as a batch has. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { serve } from '../worker.js';
import type { ClientRequest } from './case.js';

/** As our client sends it. */
const CHUNK_BYTES = 128 * 1024;

let request: ClientRequest | null = null;
let session: ClientHttp2Session | null = null;

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

async function openSession({ address, certificate }: ClientRequest): Promise<ClientHttp2Session> {
  const opened = address.startsWith('unix:')
    ? connectHttp2('http://localhost', { createConnection: () => connectTcp(address.slice('unix:'.length)) })
    : certificate === null
      ? connectHttp2(`http://${address}`)
      : connectHttp2(`https://${address}`, { ca: readFileSync(certificate) });
  await once(opened, 'remoteSettings');
  return opened;
}

async function openSocket({ address, certificate }: ClientRequest): Promise<Duplex> {
  // A tls.connect that takes allowHalfOpen is not in the types of Node 20.
  const tls = { ...hostAndPort(address), ca: certificate === null ? undefined : readFileSync(certificate), allowHalfOpen: true };
  const socket = address.startsWith('unix:')
    ? connectTcp({ path: address.slice('unix:'.length), allowHalfOpen: true })
    : certificate === null
      ? connectTcp({ ...hostAndPort(address), allowHalfOpen: true })
      : connectTls(tls as ConnectionOptions);
  await once(socket, certificate === null ? 'connect' : 'secureConnect');
  return socket;
}

await serve(async ({ prepare, steps }) => {
  if (prepare !== undefined) {
    request = prepare as ClientRequest;
    session = request.protocol === 'http2' ? await openSession(request) : null;
    return {};
  }
  if (request === null || steps === undefined) throw new Error('steps before prepare');
  const stream: Duplex = session === null ? await openSocket(request) : session.request({ ':method': 'POST' });
  const bytes = Buffer.alloc(request.stepBytes, 1);
  const answer = text(stream);
  const start = performance.now();
  for (let step = 0; step < steps; step++) {
    for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
      if (!stream.write(bytes.subarray(offset, offset + CHUNK_BYTES))) await once(stream, 'drain');
    }
  }
  stream.end();
  const received = Number(await answer);
  const seconds = (performance.now() - start) / 1000;
  if (received !== steps * bytes.length) throw new Error(`${received} bytes arrived of ${steps * bytes.length}`);
  return { seconds: [seconds] };
});
process.exit(0);
