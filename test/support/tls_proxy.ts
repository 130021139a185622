import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';

/** Self-signed, for the name `classifier.test`; of no use but in tests. */
export const CERTIFICATE = await readFile(new URL('tls/certificate.pem', import.meta.url));
export const PRIVATE_KEY = await readFile(new URL('tls/key.pem', import.meta.url));

export interface TlsProxy extends AsyncDisposable {
  readonly address: string;
}

/** Ends TLS in front of a daemon, as a reverse proxy does; with `clientCertificates` only for clients that have CERTIFICATE. */
export async function startTlsProxy(target: string, clientCertificates = false): Promise<TlsProxy> {
  const [host, port] = target.split(':');
  const options = { cert: CERTIFICATE, key: PRIVATE_KEY, ALPNProtocols: ['h2'] };
  const both = clientCertificates ? { requestCert: true, rejectUnauthorized: true, ca: CERTIFICATE } : {};
  const server = createServer({ ...options, ...both }, (socket) => {
    const upstream = connect(Number(port), host);
    socket.pipe(upstream).pipe(socket);
    for (const [side, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      side.on('close', () => other.destroy()).on('error', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    server.close();
    await once(server, 'close');
  };
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, [Symbol.asyncDispose]: close };
}
