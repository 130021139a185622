import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between a client and a server, and can break the connection. */
export interface CuttingProxy extends AsyncDisposable {
  /** What the client connects to. */
  readonly address: string;
  /** Connections accepted so far. */
  connections(): number;
  /** Bytes that clients have sent so far. */
  sentBytes(): number;
  /** From now on answers are held back; the connection breaks when the client has sent this many more bytes and fallen silent. */
  cutAfter(bytes: number): Promise<void>;
  /** From now on each new connection breaks after so many bytes, in the middle of whatever they are part of; null means that no connection breaks any more. */
  cutEach(limit: (() => ByteLimit) | null): void;
}

/** Bytes that pass before a connection breaks. */
export interface ByteLimit {
  readonly from: 'client' | 'server';
  readonly bytes: number;
}

/** Long enough for all that was sent to be read and acted on, in any case where the server is not stuck. */
const SILENCE_MS = 300;

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const [host, port] = target.split(':');
  const pairs = new Set<readonly [Socket, Socket]>();
  let connections = 0;
  let sentBytes = 0;
  let nextLimit: (() => ByteLimit) | null = null;
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
    const limit = nextLimit?.();
    client.on('data', (bytes: Buffer) => {
      sentBytes += bytes.length;
      onClientBytes(bytes.length);
      passing('client', bytes, upstream);
    });
    upstream.on('data', (bytes: Buffer) => passing('server', bytes, client));
    let left = limit?.bytes ?? Number.POSITIVE_INFINITY;
    const passing = (from: ByteLimit['from'], bytes: Buffer, to: Socket): void => {
      if (nextLimit === null || limit?.from !== from || bytes.length < left) {
        to.write(bytes);
        if (limit?.from === from) left -= bytes.length;
        return;
      }
      // What came before the break arrives, as it does when a cable is cut.
      to.end(bytes.subarray(0, left), end);
      left = 0;
    };
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
    sentBytes: () => sentBytes,
    cutAfter,
    cutEach: (limit) => {
      nextLimit = limit;
      if (limit !== null) cutAll();
    },
    [Symbol.asyncDispose]: close,
  };
}
