/** Batches whose images lie in several buffers. */
import test from 'ava';
import { type EngineReason, engineBinding, type ImageTable, type StagingBuffer } from '../native/index.js';
import { makeEngine, makeModel, makeSlowModel, noiseBatch, refusal, refusalReason } from './support/engine.js';
import { planOptions, SLOW_INPUT, SMALL_INPUT, trainOptions } from './support/graphs.js';

const IMAGE_BYTES = SMALL_INPUT.width * SMALL_INPUT.height * SMALL_INPUT.channels;
const COUNT = 4;
const LABELS = new Int32Array(COUNT);

const newTable = (count = COUNT, imageBytes = IMAGE_BYTES): ImageTable => new (engineBinding().ImageTable)({ count, imageBytes });

function bufferOf(bytes: Uint8Array): StagingBuffer {
  const buffer = new (engineBinding().StagingBuffer)(bytes.byteLength);
  buffer.write(0, bytes);
  return buffer;
}

/** Images of a batch of noise: the first in a buffer of its own, the second and the fourth in one, with something between, the third alone; all closed. */
function scattered(seed: number): ImageTable {
  const { buffer } = noiseBatch(SMALL_INPUT, COUNT, seed);
  const image = (index: number) => buffer.read(index * IMAGE_BYTES, IMAGE_BYTES);
  const shared = bufferOf(Buffer.concat([new Uint8Array(3), image(3), new Uint8Array(5), image(1)]));
  const [first, third] = [bufferOf(image(0)), bufferOf(image(2))];
  const table = newTable();
  table.set(3, shared, 3);
  table.set(0, first, 0);
  // What is set twice is what was set last.
  table.set(2, first, 0);
  table.set(2, third, 0);
  table.set(1, shared, IMAGE_BYTES + 8);
  for (const closed of [shared, first, third, buffer]) closed.close();
  return table;
}

test('steps and confidences are those of the same images one after the other, announced or not', async (t) => {
  const engine = makeEngine();
  const [apart, together] = [makeModel(engine), makeModel(engine)];
  for (let step = 0; step < 3; step++) {
    const buffer = scattered(step + 1);
    if (step > 0) apart.announce({ buffer, format: 'uint8', count: COUNT });
    const options = { ...trainOptions(2, step), batchSizeMultiplier: 2 };
    const { loss } = await apart.train({ buffer, format: 'uint8', count: COUNT }, LABELS, options);
    t.is(loss, (await together.train(noiseBatch(SMALL_INPUT, COUNT, step + 1), LABELS, options)).loss);
    buffer.close();
    buffer.close();
  }
  t.deepEqual(await apart.snapshot(), await together.snapshot());
  // The last sub-batch is not full.
  const confidences = await apart.apply({ buffer: scattered(9), format: 'uint8', count: COUNT }, planOptions(3));
  t.deepEqual(confidences, await together.apply(noiseBatch(SMALL_INPUT, COUNT, 9), planOptions(3)));
  await engine.close();
});

test('a table that is closed while a job waits is read to the end', async (t) => {
  const engine = makeEngine();
  const [model, slow] = [makeModel(engine), makeSlowModel(engine)];
  const running = slow.train(noiseBatch(SLOW_INPUT, 1), new Int32Array(1), trainOptions(1));
  const table = scattered(1);
  const waiting = model.apply({ buffer: table, format: 'uint8', count: COUNT }, planOptions(2));
  table.close();
  await running;
  t.deepEqual(await waiting, await model.apply(noiseBatch(SMALL_INPUT, COUNT, 1), planOptions(2)));
  await engine.close();
});

test('an image of a table is varied as one of a buffer is', async (t) => {
  const workers = new (engineBinding().ImageWorkers)({ threads: 1, queueLength: 4 });
  const { width, height, channels } = SMALL_INPUT;
  const prepare = async (source: ImageTable | StagingBuffer, sourceOffset: number) => {
    const target = new (engineBinding().StagingBuffer)(IMAGE_BYTES);
    await workers.prepare({
      ...{ group: 0, index: 1, source, sourceOffset, sourceBytes: IMAGE_BYTES, pixels: { width, height, channels } },
      ...{ target, targetOffset: 0, width, height, channels, exact: true, domain: null, normalizeContrast: false, augmentation: null },
    });
    return target.read(0, IMAGE_BYTES);
  };
  const { buffer } = noiseBatch(SMALL_INPUT, COUNT, 1);
  for (let index = 0; index < COUNT; index++) {
    t.deepEqual(await prepare(scattered(1), index * IMAGE_BYTES), buffer.read(index * IMAGE_BYTES, IMAGE_BYTES));
  }
  for (const offset of [1, COUNT * IMAGE_BYTES, IMAGE_BYTES - 1]) {
    const error = await refusal(() => prepare(scattered(1), offset));
    t.like(error, { reason: 'INVALID_ARGUMENT', metadata: { argument: 'source' } });
  }
  await workers.close();
});

test('a buffer of a table cannot be written any more, and a table that was read not be changed', async (t) => {
  const engine = makeEngine();
  const model = makeModel(engine);
  const { buffer } = noiseBatch(SMALL_INPUT, COUNT);
  const table = newTable();
  for (let index = 0; index < COUNT; index++) table.set(index, buffer, index * IMAGE_BYTES);
  t.is(await refusalReason(() => buffer.write(0, new Uint8Array(1))), 'INVALID_ARGUMENT');
  const other = bufferOf(new Uint8Array(IMAGE_BYTES));
  table.set(0, other, 0);
  await model.apply({ buffer: table, format: 'uint8', count: COUNT }, planOptions(2));
  const error = await refusal(() => table.set(0, buffer, 0));
  t.is(error.reason, 'INVALID_ARGUMENT');
  t.regex(error.message, /has been read/);
  await engine.close();
});

test('what is missing, too large, too small, closed or no table is refused, and says what it is', async (t) => {
  const engine = makeEngine();
  const model = makeModel(engine);
  const { buffer } = noiseBatch(SMALL_INPUT, COUNT);
  const apply = (table: ImageTable, count = COUNT) => model.apply({ buffer: table, format: 'uint8', count }, planOptions(2));
  const full = (imageBytes: number) => {
    const table = newTable(COUNT, imageBytes);
    for (let index = 0; index < COUNT; index++) table.set(index, buffer, 0);
    return table;
  };
  const closed = scattered(1);
  closed.close();
  const wrong: readonly [() => unknown, EngineReason, RegExp][] = [
    [() => apply(newTable()), 'INVALID_ARGUMENT', /4 of its images were not set/],
    [() => apply(scattered(1), COUNT - 1), 'INVALID_ARGUMENT', /the table has 4 images/],
    [() => apply(full(IMAGE_BYTES - 1)), 'INVALID_ARGUMENT', /some of other sizes/],
    [() => apply(full(IMAGE_BYTES + 1)), 'INVALID_ARGUMENT', /some of other sizes/],
    [() => apply(closed), 'CLOSED', /closed/],
    [() => model.announce({ buffer: closed, format: 'uint8', count: COUNT }), 'CLOSED', /closed/],
    [() => closed.set(0, buffer, 0), 'CLOSED', /closed/],
    [() => newTable().set(COUNT, buffer, 0), 'INVALID_ARGUMENT', /position/],
    [() => newTable().set(-1, buffer, 0), 'INVALID_ARGUMENT', /position/],
    [() => newTable().set(0.5, buffer, 0), 'INVALID_ARGUMENT', /position/],
    [() => newTable().set(0, buffer, (COUNT - 1) * IMAGE_BYTES + 1), 'INVALID_ARGUMENT', /reaches beyond/],
    [() => newTable().set(0, {} as StagingBuffer, 0), 'INVALID_ARGUMENT', /no StagingBuffer/],
    [() => newTable(0), 'INVALID_ARGUMENT', /count/],
    [() => newTable(1, 0), 'INVALID_ARGUMENT', /imageBytes/],
  ];
  for (const [call, reason, message] of wrong) {
    const error = await refusal(call);
    t.is(error.reason, reason, String(message));
    t.regex(error.message, message);
  }
  const empty = bufferOf(new Uint8Array(IMAGE_BYTES));
  empty.close();
  t.is(await refusalReason(() => newTable().set(0, empty, 0)), 'CLOSED');
  await engine.close();
});
