import { type Effort, imagesPerSecond, imagesPerSecondByTurn, takeTurns } from '../turns.js';
import type { Turn, Worker } from '../worker.js';
import { startScript } from '../workers.js';
import type { StepCase } from './case.js';
import { choosePeer, describePeer, startPeer } from './choose_peer.js';

/** One side's steps. */
export interface Measurement {
  /** Of the median step. */
  readonly imagesPerSecond: number;
  /** Images a second of the median step of each turn, in their order. */
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
  readonly ratio: number;
  readonly peerVariant: string;
}

/** Measures a case on both sides; the peer in the quickest way that it has for it. */
export async function compare(stepCase: StepCase, effort: Effort, log: (text: string) => void): Promise<Comparison> {
  const choice = await choosePeer(stepCase, (text) => log(`  trial: ${text}`));
  await using ours = startScript(new URL('ours.ts', import.meta.url), stepCase.threads, 'our engine');
  await using peer = startPeer(stepCase.threads, choice.allocator);
  const startBytes = { ours: await ours.peakBytes(), peer: await peer.peakBytes() };
  await ours.prepare(stepCase);
  await peer.prepare({ ...stepCase, variant: choice.variant });
  const turns = await takeTurns(ours, peer, effort);
  return {
    ours: { ...(await measurement(ours, stepCase, turns.ours)), startBytes: startBytes.ours },
    peer: { ...(await measurement(peer, stepCase, turns.peer)), startBytes: startBytes.peer },
    ratio: turns.ratio,
    peerVariant: describePeer(choice),
  };
}

async function measurement(worker: Worker, { batch }: StepCase, turns: readonly Turn[]): Promise<Omit<Measurement, 'startBytes'>> {
  const steps = turns.reduce((sum, { seconds }) => sum + seconds.length, 0);
  const mean = (phase: keyof NonNullable<Turn['phases']>) =>
    (1000 * turns.reduce((sum, { phases }) => sum + (phases?.[phase] ?? Number.NaN), 0)) / steps;
  return {
    imagesPerSecond: imagesPerSecond(batch, turns),
    turns: imagesPerSecondByTurn(batch, turns),
    phases: { forward: mean('forward'), backward: mean('backward'), update: mean('update') },
    peakBytes: await worker.peakBytes(),
  };
}
