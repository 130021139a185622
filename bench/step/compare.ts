import { setTimeout as pause } from 'node:timers/promises';
import type { StepCase } from './case.js';
import { choosePeer, describePeer } from './choose_peer.js';
import { median } from './median.js';
import type { Turn, Worker } from './worker.js';
import { startOurs, startPeer } from './workers.js';

/** How long and how often. */
export interface Effort {
  /** Turns of each side. */
  readonly rounds: number;
  /** About what a turn lasts; a step at least. */
  readonly turnSeconds: number;
}

/** One side's steps. */
export interface Measurement {
  /** Of the median step. */
  readonly imagesPerSecond: number;
  /** Images a second of the median step of each turn, in their order: how steady the machine was. */
  readonly turns: readonly number[];
  /** Milliseconds a step by phase: means over all steps. */
  readonly phases: { readonly forward: number; readonly backward: number; readonly update: number };
  /** The most memory that the process held, and what it held before it had a network. */
  readonly peakBytes: number;
  readonly startBytes: number;
}

export interface Comparison {
  readonly ours: Measurement;
  readonly peer: Measurement;
  /** Median over the rounds of ours / peer: a round's two turns are next to each other in time. */
  readonly ratio: number;
  readonly peerVariant: string;
}

/** Warm-up steps: layouts and implementations are chosen, memory is touched for the first time. */
const WARM_UP_STEPS = 3;
/** OpenMP's threads spin for some milliseconds after their work; the other side begins when they sleep. */
const PAUSE_MILLISECONDS = 100;

/** Measures both sides in turns: ours, peer, ours, peer, ... Whatever else the machine does meets both. */
export async function compare(stepCase: StepCase, effort: Effort, log: (text: string) => void): Promise<Comparison> {
  const choice = await choosePeer(stepCase, (text) => log(`  trial: ${text}`));
  await using ours = startOurs(stepCase.threads);
  await using peer = startPeer(stepCase.threads, choice.allocator);
  const startBytes = { ours: await ours.peakBytes(), peer: await peer.peakBytes() };
  await ours.prepare(stepCase);
  await peer.prepare(stepCase, choice.variant);
  const ourSteps = await stepsPerTurn(ours, effort);
  const peerSteps = await stepsPerTurn(peer, effort);
  const turns: { ours: Turn; peer: Turn }[] = [];
  for (let round = 0; round < effort.rounds; round++) {
    turns.push({ ours: await turn(ours, ourSteps), peer: await turn(peer, peerSteps) });
  }
  return {
    ours: {
      ...(await measurement(
        ours,
        stepCase,
        turns.map((pair) => pair.ours),
      )),
      startBytes: startBytes.ours,
    },
    peer: {
      ...(await measurement(
        peer,
        stepCase,
        turns.map((pair) => pair.peer),
      )),
      startBytes: startBytes.peer,
    },
    ratio: median(turns.map((pair) => median(pair.peer.seconds) / median(pair.ours.seconds))),
    peerVariant: describePeer(choice),
  };
}

async function stepsPerTurn(worker: Worker, { turnSeconds }: Effort): Promise<number> {
  const { seconds } = await turn(worker, WARM_UP_STEPS);
  return Math.max(1, Math.round(turnSeconds / (seconds.at(-1) ?? Number.NaN)));
}

async function turn(worker: Worker, steps: number): Promise<Turn> {
  await pause(PAUSE_MILLISECONDS);
  return worker.steps(steps);
}

async function measurement(worker: Worker, { batch }: StepCase, turns: readonly Turn[]): Promise<Omit<Measurement, 'startBytes'>> {
  const steps = turns.reduce((sum, { seconds }) => sum + seconds.length, 0);
  const mean = (phase: keyof Turn['phases']) => (1000 * turns.reduce((sum, { phases }) => sum + phases[phase], 0)) / steps;
  return {
    imagesPerSecond: batch / median(turns.flatMap(({ seconds }) => seconds)),
    turns: turns.map(({ seconds }) => batch / median(seconds)),
    phases: { forward: mean('forward'), backward: mean('backward'), update: mean('update') },
    peakBytes: await worker.peakBytes(),
  };
}
