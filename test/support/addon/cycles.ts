/** Creates, trains and closes models and engines over and over, and prints how the process has grown; needs --expose-gc. */
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { engineBinding } from '../../../native/index.js';
import { noiseBatch } from '../engine.js';
import { planOptions, slowGraph, trainOptions } from '../graphs.js';

export interface Growth {
  readonly cycles: number;
  /** Bytes that one model, its plans and its snapshot hold. */
  readonly bytesPerCycle: number;
  /** Bytes of resident memory after the cycles beyond those before them. */
  readonly resident: number;
  readonly threads: number;
  /** Handles and requests of the event loop. */
  readonly resources: number;
}

const INPUT = { channels: 3, height: 16, width: 16 };
const WARM_UP = 15;
const CYCLES = 60;

const { Engine, Model } = engineBinding();

/** Resolves with the bytes that the cycle held. */
async function cycle(): Promise<number> {
  const engine = new Engine({ gpu: null, threads: 2, queueLength: 8 });
  const model = new Model(engine, slowGraph(), INPUT, 3n);
  const batch = noiseBatch(INPUT, 2);
  await model.train(batch, new Int32Array(2), trainOptions(2));
  await model.apply(batch, planOptions(2));
  const tensors = await model.snapshot();
  await model.restore(tensors);
  const bytes = model.memoryBytes + tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
  batch.buffer.close();
  await model.close();
  await engine.close();
  return bytes;
}

async function measure(): Promise<{ resident: number; threads: number; resources: number }> {
  for (let turn = 0; turn < 5; turn++) {
    (globalThis as { gc?: () => void }).gc?.();
    await setTimeout(10);
  }
  const status = readFileSync('/proc/self/status', 'utf8');
  return {
    resident: process.memoryUsage.rss(),
    threads: Number(/^Threads:\s+(\d+)$/m.exec(status)?.[1]),
    resources: process.getActiveResourcesInfo().length,
  };
}

for (let i = 0; i < WARM_UP; i++) await cycle();
const before = await measure();
let bytesPerCycle = 0;
for (let i = 0; i < CYCLES; i++) bytesPerCycle = await cycle();
const after = await measure();
const growth: Growth = {
  cycles: CYCLES,
  bytesPerCycle,
  resident: after.resident - before.resident,
  threads: after.threads - before.threads,
  resources: after.resources - before.resources,
};
console.log(JSON.stringify(growth));
