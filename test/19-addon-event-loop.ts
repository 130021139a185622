import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import { engineBinding } from '../native/index.js';
import { resnet18 } from '../server/networks/resnet18.js';
import { noiseBatch } from './support/engine.js';
import { planOptions, trainOptions } from './support/graphs.js';

const INPUT = { channels: 3, height: 224, width: 224 };
const BATCH_SIZE = 16;
/** The event loop is never held up for longer. */
const BOUND_MILLISECONDS = 50;
const REPETITIONS = 5;

const { Engine, Model } = engineBinding();
const engine = new Engine({ threads: null, queueLength: 8 });
const model = new Model(engine, resnet18.graph({ classes: 1000, channels: 3, width: 224, height: 224 }), INPUT, 1n);
const batch = noiseBatch(INPUT, BATCH_SIZE);
test.after.always(() => engine.close());

/** The longest delay of a timer while `use` runs, in milliseconds. */
async function longestDelay(use: () => Promise<unknown>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await setTimeout(5);
  await use();
  await setTimeout(5);
  histogram.disable();
  return histogram.max / 1e6;
}

/**
 * The median over several runs: a call that blocks delays the loop in every run, whereas a processor that other programs use,
 * too, delays it now and then.
 */
async function usualDelay(use: () => Promise<unknown>): Promise<number> {
  const delays: number[] = [];
  for (let i = 0; i < REPETITIONS; i++) delays.push(await longestDelay(use));
  return delays.sort((a, b) => a - b)[REPETITIONS >> 1] ?? Number.NaN;
}

const step = () => model.train(batch, new Int32Array(BATCH_SIZE), trainOptions(BATCH_SIZE));

test.serial('a resnet18 step of 16 images of 224 x 224 delays the event loop by less than 50 ms', async (t) => {
  await step();
  const delay = await usualDelay(step);
  t.log(`${delay.toFixed(1)} ms`);
  t.true(delay < BOUND_MILLISECONDS, `${delay} ms`);
});

test.serial('making, planning, applying, storing, loading and reshaping resnet18 delay it by less than 50 ms', async (t) => {
  const tensors = await model.snapshot();
  const calls: Record<string, () => Promise<unknown>> = {
    prepare: () => model.prepare(planOptions(BATCH_SIZE)),
    apply: () => model.apply(batch, planOptions(BATCH_SIZE)),
    snapshot: () => model.snapshot(),
    restore: () => model.restore(tensors),
    reshape: () => model.reshape(resnet18.graph({ classes: 10, channels: 3, width: 224, height: 224 }), INPUT, ['fc'], 1n),
    'new and close': async () => {
      const other = new Model(engine, resnet18.graph({ classes: 1000, channels: 3, width: 224, height: 224 }), INPUT, 1n);
      await other.planMemory(planOptions(BATCH_SIZE));
      await other.close();
    },
  };
  for (const [name, call] of Object.entries(calls)) {
    const delay = await usualDelay(call);
    t.log(`${name} ${delay.toFixed(1)} ms`);
    t.true(delay < BOUND_MILLISECONDS, `${name}: ${delay} ms`);
  }
});
