import type { Logger } from '../log.js';
import type { ServerState } from '../state.js';

/** What a handler gets beside its request. */
export interface CallContext {
  readonly server: ServerState;
  /** Aborted when the client goes or the server stops. */
  readonly signal: AbortSignal;
  /** Address of the client. */
  readonly peer: string;
  readonly log: Logger;
}
