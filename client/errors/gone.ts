import { ConnectionError, DeadlineExceededError } from './error.js';
import { ServerStoppingError } from './refusals.js';

/** Whether the server cannot be reached, hangs or stops: what was only to be freed there expires by itself. */
export function isServerGone(error: unknown): boolean {
  return error instanceof ConnectionError || error instanceof DeadlineExceededError || error instanceof ServerStoppingError;
}
