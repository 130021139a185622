import { constants, type ServerHttp2Session } from 'node:http2';
import type { Server } from '@grpc/grpc-js';
import type { Logger } from '../log.js';
import { onHttp2Server } from './http2_servers.js';

/**
 * Ends each connection beyond `maximum` from one address at once: the limits of a call count per connection, so without this a client
 * would get round them with many connections. The client sees ENHANCE_YOUR_CALM; its channel tries again with growing pauses.
 * All clients of a Unix socket count as one address. Call it before bindAsync.
 */
export function limitConnections(server: Server, maximum: number, log: Logger): void {
  const connections = new Map<string, number>();
  onHttp2Server(server, (http2Server) => {
    http2Server.on('session', (session) => {
      const peer = session.socket.remoteAddress ?? 'unix';
      const count = connections.get(peer) ?? 0;
      if (count >= maximum) {
        log.warn({ peer, maximum }, 'connection refused: too many from this address');
        refuseSession(session, maximum);
        return;
      }
      connections.set(peer, count + 1);
      session.once('close', () => {
        const left = (connections.get(peer) ?? 1) - 1;
        if (left === 0) connections.delete(peer);
        else connections.set(peer, left);
      });
    });
  });
}

function refuseSession(session: ServerHttp2Session, maximum: number): void {
  const why = Buffer.from(`more than ${maximum} connections from this address`);
  session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, why);
  session.destroy();
}
