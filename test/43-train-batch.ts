import type { Client } from '@grpc/grpc-js';
import sharp from 'sharp';
import type { Label } from '../generated/dlclassifier/v1/image.js';
import { PixelFormat } from '../generated/dlclassifier/v1/image.js';
import { call, upload } from './support/calls.js';
import { type Batch, CLASSES, noiseBatch, readCompact, serialize, trainMessages } from './support/classifier.js';
import { differingTensors, tensorsIn } from './support/tensors_in.js';
import { getParams, named, plain, setParams, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire();

const tensorsOf = async (client: Client, classifier: string) => tensorsIn(await serialize(client, classifier));

async function results(client: Client, trainResult: string, ...names: string[]): Promise<Record<string, number>> {
  const { results: found } = await call(client, 'getTrainResult', { trainResult, names });
  return Object.fromEntries(Object.entries(plain(found)).map(([name, [value]]) => [name, Number(value)]));
}

test('a step is counted, and its result can be read', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const first = await train(client, classifier);
  t.is(first.step, 1n);
  t.is((await train(client, classifier)).step, 2n);
  t.deepEqual(await getParams(client, classifier, 'step'), { step: [2n] });
  t.deepEqual(await results(client, first.trainResult), { loss: first.loss });
});

test('one message may carry header, images and commit', async (t) => {
  const { client } = t.context;
  const [inOne, inMany] = [await readCompact(client), await readCompact(client)];
  const [header, chunk, commit] = trainMessages(inOne);
  await upload(client, 'trainBatch', [{ header: header?.header, pixels: chunk?.pixels ?? new Uint8Array(), commit: commit?.commit }]);
  await train(client, inMany);
  t.true((await serialize(client, inOne)).equals(await serialize(client, inMany)));
});

test('the loss has its two parts, the second by its formula', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  await setParams(client, classifier, named('weight_prior', 0.01), named('learning_rate', 0.02));
  const tensors = await tensorsOf(client, classifier);
  const { trainResult, loss } = await train(client, classifier);
  const found = await results(client, trainResult, 'loss', 'loss_multinomial_logistic', 'loss_regularization', 'step', 'learning_rate');
  let squares = 0;
  for (const [name, values] of tensors) {
    // Biases, batch norms and momentum are excluded.
    if (/^(block\d\.conv|classifier)\.weight$/.test(name)) for (const value of values) squares += value * value;
  }
  t.is(found.loss, loss);
  t.true(Math.abs((found.loss_regularization ?? 0) / ((0.01 / 2) * squares) - 1) < 1e-5);
  t.is((found.loss_multinomial_logistic ?? 0) + (found.loss_regularization ?? 0), loss);
  t.is(found.step, 1);
  t.is(found.learning_rate, 0.02);
});

test('the update is w + v, and the gradient norm that of v / -learning_rate at the first step', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const before = await tensorsOf(client, classifier);
  const { trainResult } = await train(client, classifier);
  const after = await tensorsOf(client, classifier);
  let squares = 0;
  for (const [name, velocity] of after) {
    if (!name.startsWith('momentum/')) continue;
    const [old, updated] = [before.get(name.slice('momentum/'.length)), after.get(name.slice('momentum/'.length))];
    t.true(
      velocity.every((v, index) => Math.fround((old?.[index] ?? 0) + v) === updated?.[index]),
      name,
    );
    for (const v of velocity) squares += v * v;
  }
  const { gradient_norm: norm = 0 } = await results(client, trainResult, 'gradient_norm');
  t.true(Math.abs(norm / (Math.sqrt(squares) / 0.001) - 1) < 1e-4, `${norm}`);
});

test('the times of a step are told by phase', async (t) => {
  const { client } = t.context;
  const { trainResult } = await train(client, await readCompact(client));
  const phases = ['time_upload', 'time_queue', 'time_forward', 'time_backward', 'time_update'];
  const times = await results(client, trainResult, ...phases, 'time_total');
  t.true(
    phases.every((name) => (times[name] ?? -1) > 0),
    JSON.stringify(times),
  );
  const sum = phases.reduce((total, name) => total + (times[name] ?? 0), 0);
  t.true(Math.abs(sum - (times.time_total ?? 0)) < 1e-9);
});

test('what is shown again and again is learned', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  await setParams(client, classifier, named('learning_rate', 0.01));
  const first = await train(client, classifier);
  let last = first;
  for (let step = 0; step < 30; step++) last = await train(client, classifier);
  t.true(last.loss < first.loss / 4, `${first.loss} -> ${last.loss}`);
  t.deepEqual(await results(client, last.trainResult, 'top1_error'), { top1_error: 0 });
});

/** Trains a twin on each batch and compares all bits. */
async function sameAfter(client: Client, a: Batch, b: Batch): Promise<string[]> {
  const [first, second] = [await readCompact(client), await readCompact(client)];
  await train(client, first, a);
  await train(client, second, b);
  return differingTensors(await tensorsOf(client, first), await tensorsOf(client, second));
}

test('labels are names, positions or a mixture', async (t) => {
  const batch = noiseBatch();
  const label = (index: number): Label => ({ label: { $case: 'name', value: CLASSES[index % CLASSES.length] ?? '' } });
  const names = batch.labels.map((_, index) => label(index));
  t.deepEqual(await sameAfter(t.context.client, batch, { ...batch, labels: names }), []);
  t.deepEqual(await sameAfter(t.context.client, batch, { ...batch, labels: names.with(2, batch.labels[2] ?? label(2)) }), []);
  t.not((await sameAfter(t.context.client, batch, { ...batch, labels: names.toReversed() })).length, 0);
});

test('8 bits g are the same as float32 g - 127', async (t) => {
  const batch = noiseBatch();
  const floats = Float32Array.from(batch.pixels, (value) => value - 127);
  const images = { ...batch.images, format: PixelFormat.PIXEL_FORMAT_FLOAT32 };
  t.deepEqual(await sameAfter(t.context.client, batch, { ...batch, images, pixels: new Uint8Array(floats.buffer) }), []);
});

test('PNG files are the same as their pixels', async (t) => {
  const batch = noiseBatch();
  const imageBytes = batch.pixels.length / 4;
  const files = await Promise.all(
    [0, 1, 2, 3].map((index) => {
      const pixels = batch.pixels.subarray(index * imageBytes, (index + 1) * imageBytes);
      return sharp(pixels, { raw: { width: 16, height: 16, channels: 3 } })
        .png()
        .toBuffer();
    }),
  );
  const images = { ...batch.images, format: PixelFormat.PIXEL_FORMAT_ENCODED, encodedSizes: files.map(({ length }) => length) };
  t.deepEqual(await sameAfter(t.context.client, batch, { ...batch, images, pixels: Buffer.concat(files) }), []);
});

test('a batch of several sub-batches is one step', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  await setParams(client, classifier, named('batch_size', 2n), named('batch_size_multiplier', 3n));
  t.is((await train(client, classifier, noiseBatch({ batchSize: 6 }))).step, 1n);
});

test('a batch of one image is trained', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client, { batchSize: 1, size: 15 });
  const { loss } = await train(client, classifier, noiseBatch({ batchSize: 1, size: 15 }));
  t.true(Number.isFinite(loss));
});
