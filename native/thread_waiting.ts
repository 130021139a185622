/** Rounds of libgomp's waiting loop before a thread sleeps: some microseconds. */
const SPIN_COUNT = '2000';

/**
 * How the engine's OpenMP threads wait for one another: they look for some microseconds, then they sleep. Left alone, libgomp's threads spin
 * for milliseconds at the end of every parallel region, and as soon as anything else wants a processor (the event loop, image decoding,
 * another program), they take it from the one thread that has work. If they slept at once, they would have to be woken at each layer,
 * which small steps and single images feel most. `npm run bench -- apply` with GOMP_SPINCOUNT set shows the one, a busy processor beside it
 * the other.
 *
 * libgomp reads the variable once, when it is loaded with the addon, so it is set for that moment only: child processes do not inherit
 * it. What the user has set stays. A worker thread's environment is a copy that libgomp does not see: a program that uses the engine in
 * worker threads loads the addon in the main thread first.
 */
export function withThreadWaiting<Result>(load: () => Result): Result {
  if (process.env.OMP_WAIT_POLICY !== undefined || process.env.GOMP_SPINCOUNT !== undefined) return load();
  process.env.GOMP_SPINCOUNT = SPIN_COUNT;
  try {
    return load();
  } finally {
    delete process.env.GOMP_SPINCOUNT;
  }
}
