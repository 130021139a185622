import { setTimeout as sleep } from 'node:timers/promises';
import { DeadlineExceededError, DlClassifierError } from '../errors/error.js';
import type { CallOptions } from './call_options.js';

/** What calls take that may be repeated: they change nothing, or come to the same. */
export interface RepeatableCallOptions extends CallOptions {
  /**
   * How often the call is repeated where that can help, with pauses from 0.1 to 5 seconds: the connection broke, the server was busy.
   *
   * @default 3
   */
  readonly retries?: number | undefined;
}

const DEFAULT_RETRIES = 3;

/** Milliseconds before the first repetition; each further one waits twice as long. */
const FIRST_PAUSE_MS = 100;

/** The longest pause. */
const LAST_PAUSE_MS = 5000;

/** Makes a call, again where that can help. */
export function repeatable<Result>(options: RepeatableCallOptions, attempt: () => Promise<Result>): Promise<Result> {
  return withRetries(options.retries ?? DEFAULT_RETRIES, options.signal, attempt);
}

/**
 * Calls `attempt` again, at most `retries` times, as long as its error says that a retry can help. For calls that may be repeated only:
 * see RepeatableCallOptions, and steps with a request id.
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
