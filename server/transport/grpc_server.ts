import { Server, setLogger } from '@grpc/grpc-js';
import type { Limits } from '../config.js';
import type { Logger } from '../log.js';
import { limitConnections } from './connection_limit.js';
import { raiseReceiveWindow } from './receive_window.js';

/** A client that vanished without a word (power, network) is noticed after both together, and its upload's memory freed. Milliseconds. */
const KEEPALIVE_TIME = 60_000;
const KEEPALIVE_TIMEOUT = 20_000;

/** A gRPC server with the limits of this service, not yet listening and without services. */
export function createGrpcServer(limits: Limits, log: Logger): Server {
  // Without this grpc-js writes to stderr in a form of its own.
  setLogger({
    error: (...message: unknown[]) => log.debug({ grpc: message.join(' ') }, 'grpc-js error'),
    info: (...message: unknown[]) => log.debug({ grpc: message.join(' ') }, 'grpc-js'),
    debug: (...message: unknown[]) => log.trace({ grpc: message.join(' ') }, 'grpc-js'),
  });
  const server = new Server({
    'grpc.max_concurrent_streams': limits.streamsPerConnection,
    'grpc.max_receive_message_length': limits.messageBytes,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT,
    // Call statistics that nobody reads.
    'grpc.enable_channelz': 0,
  });
  raiseReceiveWindow(server);
  limitConnections(server, limits.connectionsPerPeer, log);
  return server;
}
