import { randomBytes } from 'node:crypto';
import { type Refusal, refuse } from '../errors/refusal.js';
import type { Logger } from '../log.js';

/**
 * Anything that leaves a handler and is no Refusal is a defect of ours. The log gets all of it; the caller gets a number to find it by,
 * because an error's text may tell of paths and other callers.
 */
export function describeDefect(error: unknown, log: Logger): Refusal {
  const incident = randomBytes(4).toString('hex');
  log.error({ incident, err: error }, 'a defect of the server');
  return refuse('INTERNAL', { problem: `incident ${incident}` }, { cause: error });
}
