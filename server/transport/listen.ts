import { once } from 'node:events';
import { lstat, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Server, ServerCredentials } from '@grpc/grpc-js';
import { StartError } from '../start_error.js';

const UNIX = 'unix:';

/**
 * @param address `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`
 * @returns the address with the port that was taken
 * @throws StartError
 */
export async function listen(server: Server, address: string, credentials: ServerCredentials): Promise<string> {
  if (address.startsWith(UNIX)) {
    await removeStaleSocket(address.slice(UNIX.length));
    await bind(server, address, credentials);
    return address;
  }
  const port = await bind(server, address, credentials);
  return `${address.slice(0, address.lastIndexOf(':'))}:${port}`;
}

/** Whether only processes of this machine can connect. */
export function isLocal(address: string): boolean {
  return address.startsWith(UNIX) || /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/.test(address);
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(new StartError(`cannot listen on ${address}: ${cause(error)}`, { cause: error }));
    });
  });
}

/** `No address added ... errors: [listen EADDRINUSE: address already in use 127.0.0.1:50051]` in the words that matter. */
function cause(error: Error): string {
  return /listen E\w+: ([^\]\n]*?)(?: \S*)?(?:\]|$)/.exec(error.message)?.[1] ?? error.message;
}

/** A daemon that was killed leaves its socket behind, on which nobody can listen and to which nobody can connect. */
async function removeStaleSocket(path: string): Promise<void> {
  if ((await isSocket(path)) && !(await acceptsConnections(path))) await rm(path, { force: true });
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSocket();
  } catch {
    // What is wrong with the path comes out when it is bound.
    return false;
  }
}

async function acceptsConnections(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}
