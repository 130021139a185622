import { closeSync, openSync, readSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

/** The worst that happened to the event loop between two turns of a timer of 1 ms, each in milliseconds. */
export interface LoopDelay {
  /** From turn to turn. */
  readonly wall: number;
  /** Of that, what the processors of a busy machine did not keep the thread waiting: it computed, slept in a call, or had nothing to do. */
  readonly own: number;
  /** Of that, what the thread computed. */
  readonly computing: number;
}

/** A moment of the event loop's thread, in milliseconds: the clock, its processor time, its time in the queue for a processor. */
interface Moment {
  readonly wall: number;
  readonly computed: number;
  readonly queued: number;
}

/** Watches the event loop of the main thread while `use` runs. */
export async function loopDelay(use: () => Promise<unknown>): Promise<LoopDelay> {
  const file = openSync('/proc/self/schedstat', 'r');
  const line = Buffer.alloc(64);
  const now = (): Moment => {
    // Nanoseconds on a processor, nanoseconds in the queue for one, number of times that it got one.
    const [computed = Number.NaN, queued = Number.NaN] = line.toString('latin1', 0, readSync(file, line, 0, line.length, 0)).split(' ');
    return { wall: performance.now(), computed: Number(computed) / 1e6, queued: Number(queued) / 1e6 };
  };
  const worst = { wall: 0, own: 0, computing: 0 };
  let last = now();
  const turn = () => {
    const next = now();
    const [wall, computing, queued] = [next.wall - last.wall, next.computed - last.computed, next.queued - last.queued];
    worst.wall = Math.max(worst.wall, wall);
    worst.own = Math.max(worst.own, wall - queued);
    worst.computing = Math.max(worst.computing, computing);
    last = next;
  };
  const timer = setInterval(turn, 1);
  try {
    await use();
    await setTimeout(5);
    turn();
  } finally {
    clearInterval(timer);
    closeSync(file);
  }
  return worst;
}
