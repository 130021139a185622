import { setTimeout as sleep } from 'node:timers/promises';
import { DeadlineExceededError, DlClassifierError } from '../errors/error.js';

/** Milliseconds before the first repetition; each further one waits twice as long. */
const FIRST_PAUSE_MS = 100;

/** The longest pause. */
const LAST_PAUSE_MS = 5000;

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
      await pauseBeforeRetry(repetition, signal);
    }
  }
}

/** Whether the same call may succeed. After a deadline the caller has waited as long as wanted. */
export function canHelp(error: unknown): boolean {
  return error instanceof DlClassifierError && error.retryable && !(error instanceof DeadlineExceededError);
}

/** Waits the longer, the more repetitions there were before. */
export async function pauseBeforeRetry(repetition: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  try {
    await sleep(Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** repetition), undefined, { signal });
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}
