/**
 * Timers of Node.js hold almost 25 days; one that is set to more goes off at once, here and in a server on Node.js, whom gRPC tells the time
 * in whole seconds, rounded up.
 */
const LONGEST_MS = 2 ** 31 - 1 - 1000;

/** The milliseconds, or Infinity, which is no limit, where no timer holds so many. */
export function timeLimit(milliseconds: number): number {
  return milliseconds > LONGEST_MS ? Number.POSITIVE_INFINITY : milliseconds;
}
