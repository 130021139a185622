import type { Reason } from '../../../server/errors/catalogue.js';
import type { WireContext } from '../wire.js';

export interface Situation extends WireContext {
  /** compact, 16 x 16 x 3, batches of 4, three classes, one step made. */
  readonly classifier: string;
  /** Handle of that step's result. */
  readonly trainResult: string;
}

/** A call that is refused, and with what. */
export interface Case {
  readonly what: string;
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string | RegExp>>;
  /** Brings the classifier to where the call is refused; the comparison begins after it. */
  prepare?(situation: Situation): Promise<unknown>;
  act(situation: Situation): Promise<unknown>;
}
