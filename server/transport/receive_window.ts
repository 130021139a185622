import type { Server } from '@grpc/grpc-js';
import { onHttp2Server, setInitialWindowSize } from './http2_servers.js';

/**
 * Bytes that a client may send on one call before it hears from the server. HTTP/2's default of 65,535 allows 3 MiB/s at a round trip of
 * 10 ms. The window opens again when half of it has been read, so this allows 1,600, more than a daemon takes in. It is also what one
 * call can make the server buffer ahead of its reader.
 */
export const STREAM_WINDOW_BYTES = 32 * 1024 * 1024;

/**
 * The same for what is on its way in all calls of one connection together. Node.js counts bytes that wait in the process as received: calls
 * that are not read from do not keep others waiting, and each holds its own window at most.
 */
export const CONNECTION_WINDOW_BYTES = 128 * 1024 * 1024;

/**
 * Raises the window in which clients send. grpc-js reads its option `grpc-node.flow_control_window` in the client alone
 * (grpc/grpc-node#3058). Call it before bindAsync.
 */
export function raiseReceiveWindow(server: Server): void {
  setInitialWindowSize(server, STREAM_WINDOW_BYTES);
  onHttp2Server(server, (http2Server) => {
    http2Server.on('session', (session) => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
  });
}
