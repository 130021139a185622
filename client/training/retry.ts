import { setTimeout as sleep } from 'node:timers/promises';
import { DeadlineExceededError, DlClassifierError } from '../errors/error.js';

/** Milliseconds before the first repetition; each further one waits twice as long. */
const FIRST_PAUSE_MS = 100;

/**
 * Calls `attempt` again, at most `retries` times, as long as its error says that a retry can help. For calls that may be repeated only:
 * reads, and steps with a request id.
 */
export async function withRetries<Result>(
  retries: number,
  signal: AbortSignal | undefined,
  attempt: () => Promise<Result>,
): Promise<Result> {
  for (let repetition = 0; ; repetition++) {
    try {
      return await attempt();
    } catch (error) {
      if (repetition >= retries || !canHelp(error)) throw error;
      await pause(FIRST_PAUSE_MS * 2 ** repetition, signal);
    }
  }
}

/** After a deadline the caller has waited as long as wanted. */
function canHelp(error: unknown): boolean {
  return error instanceof DlClassifierError && error.retryable && !(error instanceof DeadlineExceededError);
}

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}
