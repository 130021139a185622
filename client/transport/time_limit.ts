import { status } from '@grpc/grpc-js';
import { transportError } from '../errors/error.js';

/**
 * Timers of Node.js hold almost 25 days; one that is set to more goes off at once, here and in a server on Node.js, whom gRPC tells the time
 * in whole seconds, rounded up.
 */
const LONGEST_MS = 2 ** 31 - 1 - 1000;

/** The milliseconds, or Infinity, which is no limit, where no timer holds so many. */
export function timeLimit(milliseconds: number): number {
  return milliseconds > LONGEST_MS ? Number.POSITIVE_INFINITY : milliseconds;
}

/** The promise's result, or a rejection with DeadlineExceededError when so many milliseconds have passed; left out: no limit of its own. */
export async function withinTime<Result>(promise: Promise<Result>, milliseconds = Number.POSITIVE_INFINITY): Promise<Result> {
  const limit = timeLimit(milliseconds);
  if (limit === Number.POSITIVE_INFINITY) return await promise;
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(transportError(status.DEADLINE_EXCEEDED, `no answer within ${limit} ms`, undefined)), limit);
  });
  try {
    return await Promise.race([promise, passed]);
  } finally {
    clearTimeout(timer);
  }
}
