/**
 * How the engine's OpenMP threads wait for one another: asleep. Left alone, libgomp's threads spin for milliseconds at the end of every
 * parallel region, and as soon as anything else wants a processor (the event loop, image decoding, another program), they take it from
 * the one thread that has work. On two processors shared with other programs a step was up to ten times as long when they spun, and
 * short spins were no better; on idle ones sleeping costs about a millisecond a step, for waking them at each layer.
 *
 * libgomp reads the variable once, when it is loaded with the addon, so it is set for that moment only: child processes do not inherit
 * it. What the user has set stays. A worker thread's environment is a copy that libgomp does not see: a program that uses the engine in
 * worker threads loads the addon in the main thread first.
 */
export function withThreadWaiting<Result>(load: () => Result): Result {
  if (process.env.OMP_WAIT_POLICY !== undefined || process.env.GOMP_SPINCOUNT !== undefined) return load();
  process.env.OMP_WAIT_POLICY = 'passive';
  try {
    return load();
  } finally {
    delete process.env.OMP_WAIT_POLICY;
  }
}
