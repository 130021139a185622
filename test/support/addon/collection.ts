/** Drops engines, models and buffers without closing them, collects garbage, and prints what is left; needs --expose-gc. */
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { engineBinding } from '../../../native/index.js';
import { makeEngine, makeModel, makeSlowModel, noiseBatch } from '../engine.js';
import { planOptions, SMALL_INPUT } from '../graphs.js';

export interface Remains {
  /** Threads of the process beyond those before. */
  readonly threads: number;
  /** Bytes of resident memory beyond those before. */
  readonly resident: number;
  /** The same while everything was alive. */
  readonly residentAlive: number;
}

const collect = (globalThis as { gc?: () => void }).gc;
if (collect === undefined) throw new Error('needs --expose-gc');

const PIXEL_BYTES = 1 << 25;

function threadCount(): number {
  return Number(/^Threads:\s+(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

/** Resolves with the bytes that were resident while the objects were alive. */
async function useAndDrop(): Promise<number> {
  const engines = Array.from({ length: 4 }, () => makeEngine());
  const models = engines.flatMap((engine) => [makeModel(engine), makeSlowModel(engine)]);
  const pixels = new Uint8Array(PIXEL_BYTES);
  const buffers = Array.from({ length: 8 }, () => new (engineBinding().StagingBuffer)(PIXEL_BYTES));
  for (const buffer of buffers) buffer.write(0, pixels);
  await Promise.all(models.map((model) => model.snapshot()));
  return process.memoryUsage.rss();
}

/** The objects are dropped while a job of theirs waits; its result must come all the same. */
async function dropInMidJob(): Promise<void> {
  const result = makeModel(makeEngine()).apply(noiseBatch(SMALL_INPUT, 2), planOptions(2));
  collect?.();
  await setTimeout(1);
  collect?.();
  if ((await result).length !== 8) throw new Error('the result is incomplete');
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    collect?.();
    await setTimeout(10);
  }
}

await dropInMidJob();
await settled();
const threads = threadCount();
const before = process.memoryUsage.rss();
const residentAlive = (await useAndDrop()) - before;
await dropInMidJob();
await settled();
const remains: Remains = { threads: threadCount() - threads, resident: process.memoryUsage.rss() - before, residentAlive };
console.log(JSON.stringify(remains));
