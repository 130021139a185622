import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Effort, imagesPerSecond, imagesPerSecondByTurn, takeTurns } from '../turns.js';
import type { Worker } from '../worker.js';
import { startPython, startScript } from '../workers.js';
import type { ApplyCase } from './case.js';
import { exportCase } from './exported.js';

/** A case, and the folder with what exportCase() leaves. */
export interface ApplyRequest extends ApplyCase {
  readonly folder: string;
}

/** One side's calls. */
export interface ApplyMeasurement {
  readonly imagesPerSecond: number;
  readonly turns: readonly number[];
  readonly peakBytes: number;
}

export interface ApplyComparison {
  readonly ours: ApplyMeasurement;
  readonly peer: ApplyMeasurement;
  readonly ratio: number;
}

/** The same network on the same images must give the same answer, or the times mean nothing. */
const LARGEST_DIFFERENCE = 1e-4;

/** Measures a case on both sides: the engine, and ONNX Runtime with the model that the daemon exports. */
export async function compareApply(applyCase: ApplyCase, effort: Effort): Promise<ApplyComparison> {
  const folder = mkdtempSync(join(tmpdir(), 'dl-classifier-bench-'));
  try {
    const request: ApplyRequest = { ...applyCase, folder };
    await exportCase(request);
    await using ours = startScript(new URL('ours.ts', import.meta.url), applyCase.threads, 'our engine');
    await using peer = startPython('onnx_apply.py', applyCase.threads, 'ONNX Runtime');
    const expected = await confidences(ours, request);
    const actual = await confidences(peer, request);
    const difference = Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN))));
    if (!(difference <= LARGEST_DIFFERENCE)) throw new Error(`${applyCase.name}: the confidences differ by ${difference}`);
    const turns = await takeTurns(ours, peer, effort);
    const measurement = async (worker: Worker, side: 'ours' | 'peer'): Promise<ApplyMeasurement> => ({
      imagesPerSecond: imagesPerSecond(applyCase.batch, turns[side]),
      turns: imagesPerSecondByTurn(applyCase.batch, turns[side]),
      peakBytes: await worker.peakBytes(),
    });
    return { ours: await measurement(ours, 'ours'), peer: await measurement(peer, 'peer'), ratio: turns.ratio };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function confidences(worker: Worker, request: ApplyRequest): Promise<readonly number[]> {
  return ((await worker.prepare(request)) as { confidences: readonly number[] }).confidences;
}
