import { readFileSync } from 'node:fs';
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { engineBinding } from '../native/index.js';
import type { Remains } from './support/addon/collection.js';
import type { Growth } from './support/addon/cycles.js';
import { makeEngine, makeSlowModel } from './support/engine.js';
import { planOptions } from './support/graphs.js';
import { runProgram } from './support/program.js';

const MEBIBYTE = 1 << 20;
/** Memory of staging buffers that is kept for the next ones: native/addon/staging_memory.h. */
const STAGING_KEPT = 64 * MEBIBYTE;

async function report<Report>(file: string): Promise<Report> {
  const { exitCode, stdout, stderr } = await runProgram(file, [], ['--expose-gc']);
  if (exitCode !== 0) throw new Error(`${file} ended with ${exitCode}:\n${stderr}`);
  return JSON.parse(stdout) as Report;
}

/** Mebibytes of private memory that the process has mapped, touched or not. */
function mapped(): number {
  return Number(/^VmData:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
}

/** Full collections while `use` runs. */
async function majorCollections(use: () => Promise<void>): Promise<number> {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as (PerformanceEntry & { detail: { kind: number } })[]) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++;
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  await use();
  await setImmediate();
  observer.disconnect();
  return collections;
}

test.serial('staging buffers that are dropped, not closed, are collected before they pile up', async (t) => {
  const before = mapped();
  let most = 0;
  for (let i = 0; i < 200; i++) {
    new (engineBinding().StagingBuffer)(32 * MEBIBYTE);
    await setImmediate();
    most = Math.max(most, mapped() - before);
  }
  t.true(most < (200 * 32) / 2, `${most} MiB of ${200 * 32} were mapped`);
});

test.serial('models that are dropped, not closed, are collected before they pile up', async (t) => {
  const engine = makeEngine();
  const before = mapped();
  let most = 0;
  let all = 0;
  for (let i = 0; i < 300; i++) {
    const model = makeSlowModel(engine);
    await model.planMemory(planOptions(1));
    all += model.memoryBytes / MEBIBYTE;
    most = Math.max(most, mapped() - before);
  }
  t.true(all > 500, `${all} MiB are enough to tell`);
  t.true(most < all / 2, `${most} MiB of ${all} were mapped`);
  await engine.close();
});

test.serial('memory that was closed is taken off the account: it does not hurry the garbage collector', async (t) => {
  const engine = makeEngine();
  const collections = await majorCollections(async () => {
    for (let i = 0; i < 100; i++) {
      const buffer = new (engineBinding().StagingBuffer)(32 * MEBIBYTE);
      const model = makeSlowModel(engine);
      await model.planMemory(planOptions(1));
      buffer.close();
      await model.close();
    }
  });
  t.true(collections < 10, `${collections} collections`);
  await engine.close();
});

test('engines, models and buffers that are dropped without close are freed and their threads end', async (t) => {
  const { threads, resident, residentAlive } = await report<Remains>('./addon/collection.ts');
  t.is(threads, 0);
  t.true(residentAlive > 256 * MEBIBYTE, `${residentAlive} bytes`);
  t.true(resident < STAGING_KEPT + residentAlive / 8, `${resident} bytes of ${residentAlive} are left`);
});

test('cycles of create, train, apply, snapshot, restore and close do not grow the process', async (t) => {
  const { cycles, bytesPerCycle, resident, threads, resources } = await report<Growth>('./addon/cycles.ts');
  t.is(threads, 0);
  t.is(resources, 0);
  // A tenth of one cycle's memory left by each would show.
  t.true(resident < (cycles * bytesPerCycle) / 10, `${resident} bytes over ${cycles} cycles of ${bytesPerCycle}`);
});
