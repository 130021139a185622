import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between a client and a server, and can break the connection. */
export interface CuttingProxy extends AsyncDisposable {
  /** What the client connects to. */
  readonly address: string;
  /** Connections accepted so far. */
  connections(): number;
  /** From now on answers are held back; the connection breaks when the client has sent this many more bytes and fallen silent. */
  cutAfter(bytes: number): Promise<void>;
}

/** Long enough for all that was sent to be read and acted on, in any case where the server is not stuck. */
const SILENCE_MS = 300;

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const [host, port] = target.split(':');
  const pairs = new Set<readonly [Socket, Socket]>();
  let connections = 0;
  let onClientBytes: (bytes: number) => void = () => {};
  const server = createServer((client) => {
    connections++;
    const upstream = connect(Number(port), host);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    client.on('data', (bytes) => {
      onClientBytes(bytes.length);
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => client.write(bytes));
    for (const socket of pair) socket.on('close', end).on('error', end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cutAll = () => {
    for (const sockets of pairs) for (const socket of sockets) socket.destroy();
  };
  const cutAfter = (bytes: number): Promise<void> =>
    new Promise((resolve) => {
      let sent = 0;
      let silence: NodeJS.Timeout | undefined;
      for (const [, upstream] of pairs) upstream.removeAllListeners('data').resume();
      onClientBytes = (count) => {
        sent += count;
        if (sent < bytes) return;
        clearTimeout(silence);
        silence = setTimeout(() => {
          onClientBytes = () => {};
          cutAll();
          resolve();
        }, SILENCE_MS);
      };
    });
  const close = async (): Promise<void> => {
    cutAll();
    server.close();
    await once(server, 'close');
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    cutAfter,
    [Symbol.asyncDispose]: close,
  };
}
