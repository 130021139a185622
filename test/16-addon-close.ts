import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import { engineBinding, type StepResult } from '../native/index.js';
import { busy, makeEngine, makeModel, makeSlowModel, noiseBatch, refusalReason } from './support/engine.js';
import { planOptions, reshapeOptions, SMALL_INPUT, smallGraph, trainOptions } from './support/graphs.js';

const { Model, StagingBuffer } = engineBinding();

test('close may be called again, before and after it has ended', async (t) => {
  const engine = makeEngine();
  const model = makeModel(engine);
  await Promise.all([model.close(), model.close()]);
  await model.close();
  await Promise.all([engine.close(), engine.close()]);
  await engine.close();
  await model.close();
  t.pass();
});

test('every method of a closed model rejects with CLOSED', async (t) => {
  const engine = makeEngine();
  const model = makeModel(engine);
  const batch = noiseBatch(SMALL_INPUT, 2);
  await model.close();
  for (const call of [
    () => model.planMemory(planOptions(2)),
    () => model.prepare(planOptions(2)),
    () => model.setSolver('adam'),
    () => model.train(batch, new Int32Array(2), trainOptions(2)),
    () => model.apply(batch, planOptions(2)),
    () => model.snapshot(),
    () => model.restore([]),
    () => model.reshape(smallGraph(), SMALL_INPUT, reshapeOptions(1n)),
  ]) {
    t.is(await refusalReason(call), 'CLOSED');
  }
  t.is(model.memoryBytes, 0);
  t.is(model.tensors.length, 7);
  await engine.close();
});

test('a closed engine refuses models, and its models refuse calls', async (t) => {
  const engine = makeEngine();
  const model = makeModel(engine);
  await engine.close();
  t.is(await refusalReason(() => new Model(engine, smallGraph(), SMALL_INPUT, 1n)), 'CLOSED');
  t.is(await refusalReason(() => model.snapshot()), 'CLOSED');
  t.is(engine.info.threads, 2);
  await model.close();
});

test('closing an engine finishes the running job and rejects the waiting ones with CLOSED', async (t) => {
  const engine = makeEngine();
  const model = makeSlowModel(engine);
  const ends: string[] = [];
  const first = busy(model, 1);
  const running = busy(model).then((step) => ends.push(`loss ${(step as StepResult).loss > 0}`));
  const waiting = [model.snapshot(), model.snapshot()].map((job) => job.catch((error) => ends.push(error.reason)));
  // The engine thread hands over the first job's result and takes the next job in the same breath.
  await first;
  await setTimeout(20);
  await engine.close().then(() => ends.push('closed'));
  await Promise.all([running, ...waiting]);
  t.deepEqual(ends.toSorted(), ['CLOSED', 'CLOSED', 'closed', 'loss true']);
  t.is(ends.at(-1), 'closed');
});

test("closing a model rejects its own waiting jobs and leaves the others' in the queue", async (t) => {
  const engine = makeEngine();
  const slow = makeSlowModel(engine);
  const closing = makeModel(engine);
  const staying = makeModel(engine);
  const running = busy(slow);
  const rejected = refusalReason(() => closing.snapshot());
  const kept = staying.snapshot();
  await closing.close();
  t.is(await rejected, 'CLOSED');
  t.true((await kept).length > 0);
  await running;
  await engine.close();
});

test('a model that is closed before its weights were allocated never allocates them', async (t) => {
  const engine = makeEngine();
  const slow = makeSlowModel(engine);
  const running = busy(slow);
  const closing = makeModel(engine);
  await closing.close();
  t.is(closing.memoryBytes, 0);
  await running;
  await engine.close();
});

test('the queue is bounded: one runs, queueLength wait, the next is refused with QUEUE_FULL', async (t) => {
  const engine = makeEngine(2);
  const model = makeSlowModel(engine);
  const taken = [busy(model), model.snapshot(), model.snapshot()];
  t.is(await refusalReason(() => model.snapshot()), 'QUEUE_FULL');
  t.is(await refusalReason(() => busy(model)), 'QUEUE_FULL');
  await Promise.all(taken);
  t.true((await model.snapshot()).length > 0);
  await engine.close();
});

test('a full queue takes new models and lets models go', async (t) => {
  const engine = makeEngine(1);
  const slow = makeSlowModel(engine);
  const taken = [busy(slow), slow.snapshot()];
  const model = makeModel(engine);
  t.is(await refusalReason(() => model.snapshot()), 'QUEUE_FULL');
  await model.close();
  await Promise.all(taken);
  await engine.close();
});

test('a call that the engine refuses leaves no trace in the queue', async (t) => {
  const engine = makeEngine(1);
  const model = makeModel(engine);
  const batch = noiseBatch(SMALL_INPUT, 2);
  for (let i = 0; i < 10; i++) {
    t.is(await refusalReason(() => model.train(batch, new Int32Array([0, 99]), trainOptions(2))), 'INVALID_ARGUMENT');
  }
  t.true((await model.train(batch, new Int32Array(2), trainOptions(2))).loss > 0);
  await engine.close();
});

test('a buffer may be closed while a job reads it: the job has its pixels', async (t) => {
  const engine = makeEngine();
  const model = makeModel(engine);
  const open = noiseBatch(SMALL_INPUT, 2);
  const expected = await model.apply(open, planOptions(2));
  const closing = noiseBatch(SMALL_INPUT, 2);
  const result = model.apply(closing, planOptions(2));
  closing.buffer.close();
  new StagingBuffer(closing.buffer.byteLength).write(0, new Uint8Array(closing.buffer.byteLength).fill(255));
  t.deepEqual(await result, expected);
  await engine.close();
});
