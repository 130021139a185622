import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import test from 'ava';
import { makeEngine, makeModel, noiseBatch } from './support/engine.js';
import { SMALL_INPUT, trainOptions } from './support/graphs.js';
import { runProgram } from './support/program.js';
import { startWorker } from './support/worker.js';

interface Trained {
  readonly loss: number;
  readonly weights: Float32Array;
}

async function result(worker: Worker): Promise<{ message: unknown; exitCode: number }> {
  const exit = once(worker, 'exit');
  const [message] = await Promise.race([once(worker, 'message'), exit.then(() => ['no message'])]);
  const [exitCode] = (await exit) as [number];
  return { message, exitCode };
}

async function trainHere(): Promise<Trained> {
  const engine = makeEngine();
  const model = makeModel(engine);
  const { loss } = await model.train(noiseBatch(SMALL_INPUT, 4), Int32Array.of(0, 1, 2, 3), trainOptions(4));
  const [weights] = await model.snapshot();
  await engine.close();
  return { loss, weights: weights?.data ?? new Float32Array() };
}

test.serial('several worker threads train at once, each with its own engine, all with the same result', async (t) => {
  const expected = await trainHere();
  const results = await Promise.all([startWorker('train'), startWorker('train'), startWorker('train')].map(result));
  for (const { message, exitCode } of results) {
    t.deepEqual(message, expected);
    t.is(exitCode, 0);
  }
});

test.serial('a worker thread that closes nothing ends', async (t) => {
  const { exitCode } = await result(startWorker('leave'));
  t.is(exitCode, 0);
});

test.serial('a worker thread that exits in mid-job ends with its own code', async (t) => {
  const { message, exitCode } = await result(startWorker('exit'));
  t.is(message, 'running');
  t.is(exitCode, 5);
});

test.serial('worker threads that are terminated in mid-job take nothing with them', async (t) => {
  const workers = [startWorker('run'), startWorker('run'), startWorker('run')];
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  t.deepEqual(await Promise.all(workers.map((worker) => worker.terminate())), [1, 1, 1]);
  t.true((await trainHere()).loss > 0);
});

test.serial('worker threads that are terminated while the addon loads or computes, at any moment, do not crash', async (t) => {
  for (let delay = 0; delay < 10; delay++) {
    const worker = startWorker('run');
    await once(worker, 'online');
    await new Promise((resolve) => setTimeout(resolve, delay * 40));
    t.is(await worker.terminate(), 1);
  }
  t.true((await trainHere()).loss > 0);
});

test.serial('a process whose workers alone load the addon runs and ends', async (t) => {
  t.like(await runProgram('./addon/workers_alone.ts'), { exitCode: 0, signal: null, stdout: 'all workers ended\n', stderr: '' });
});
