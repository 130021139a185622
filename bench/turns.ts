import { setTimeout as pause } from 'node:timers/promises';
import { median } from './median.js';
import type { Turn, Worker } from './worker.js';

/** How long and how often. */
export interface Effort {
  /** Turns of each side. */
  readonly rounds: number;
  /** About what a turn lasts; a step at least. */
  readonly turnSeconds: number;
}

/** The turns of both sides, in their order. */
export interface Turns {
  readonly ours: readonly Turn[];
  readonly peer: readonly Turn[];
  /** Median over the rounds of ours / peer in speed: a round's two turns are next to each other in time. */
  readonly ratio: number;
}

/** Warm-up steps: layouts and implementations are chosen, memory is touched for the first time. */
const WARM_UP_STEPS = 3;
/** OpenMP's threads may spin for some milliseconds after their work; the other side begins when they sleep. */
const PAUSE_MILLISECONDS = 100;

/** Both sides in turns: ours, peer, ours, peer, ... Whatever else the machine does meets both. */
export async function takeTurns(ours: Worker, peer: Worker, effort: Effort): Promise<Turns> {
  const ourSteps = await stepsPerTurn(ours, effort);
  const peerSteps = await stepsPerTurn(peer, effort);
  const turns: { ours: Turn; peer: Turn }[] = [];
  for (let round = 0; round < effort.rounds; round++) {
    turns.push({ ours: await turn(ours, ourSteps), peer: await turn(peer, peerSteps) });
  }
  return {
    ours: turns.map((pair) => pair.ours),
    peer: turns.map((pair) => pair.peer),
    ratio: median(turns.map((pair) => median(pair.peer.seconds) / median(pair.ours.seconds))),
  };
}

/** Images a second of the median step of all turns. */
export function imagesPerSecond(batch: number, turns: readonly Turn[]): number {
  return batch / median(turns.flatMap(({ seconds }) => seconds));
}

/** The same turn by turn: how steady the machine was. */
export function imagesPerSecondByTurn(batch: number, turns: readonly Turn[]): readonly number[] {
  return turns.map(({ seconds }) => batch / median(seconds));
}

async function stepsPerTurn(worker: Worker, { turnSeconds }: Effort): Promise<number> {
  const { seconds } = await turn(worker, WARM_UP_STEPS);
  return Math.max(1, Math.round(turnSeconds / (seconds.at(-1) ?? Number.NaN)));
}

async function turn(worker: Worker, steps: number): Promise<Turn> {
  await pause(PAUSE_MILLISECONDS);
  return worker.steps(steps);
}
