/**
 * How the engine's OpenMP threads wait for one another. Left alone, libgomp's threads spin for milliseconds at the end of every
 * parallel region: as soon as anything else wants the processor, here the event loop, they take it from the one thread that has
 * work. A short spin bridges the gap from one layer to the next; then they sleep.
 *
 * libgomp reads the variables once, when it is loaded with the addon, so they are set for that moment only: child processes do not
 * inherit them. What the user has set stays. A worker thread's environment is a copy that libgomp does not see: a program that uses
 * the engine in worker threads loads the addon in the main thread first.
 */
const SPIN_COUNT = '10000';

/** Calls `load`, which loads libgomp, with the variables set. */
export function withThreadWaiting<Result>(load: () => Result): Result {
  if (process.env.OMP_WAIT_POLICY !== undefined || process.env.GOMP_SPINCOUNT !== undefined) return load();
  process.env.GOMP_SPINCOUNT = SPIN_COUNT;
  try {
    return load();
  } finally {
    delete process.env.GOMP_SPINCOUNT;
  }
}
