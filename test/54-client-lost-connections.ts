import sharp from 'sharp';
import {
  ConnectionError,
  DeadlineExceededError,
  DlClassifierClient,
  InvalidLabelError,
  type LabelledBatch,
  type PixelImage,
  Random,
  type RepeatableCallOptions,
} from '../client/index.js';
import { call, connectTo } from './support/calls.js';
import { readSmall, testWithDaemon } from './support/client.js';
import { type ByteLimit, startCuttingProxy } from './support/cutting_proxy.js';
import { noiseImages } from './support/noise.js';

const test = testWithDaemon();

const CUTS = 100;
const BATCH_BYTES = 8 * 32 * 32;
const LABELS = Array.from({ length: 8 }, (_, index) => index % 2);
const PARAMETERS = { image_dimensions: [32, 32, 1], batch_size: 8 } as const;

/** The learning rate changes, so that a step that is made twice or in another order shows. */
function batch(number: number): LabelledBatch {
  return {
    images: noiseImages(8, [32, 32, 1], number),
    labels: LABELS,
    parameters: number % 7 === 0 ? { learning_rate: 0.01 / (1 + (number % 5)) } : undefined,
  };
}

/** Somewhere in the next five batches, or in the next answers. */
function somewhere(random: Random): ByteLimit {
  return random.below(2) === 0
    ? { from: 'client', bytes: 1 + random.below(5 * BATCH_BYTES) }
    : { from: 'server', bytes: 1 + random.below(1000) };
}

test(`a training whose connection breaks ${CUTS} times is bit for bit an undisturbed one`, async (t) => {
  await using proxy = await startCuttingProxy(t.context.daemon.address);
  await using client = await DlClassifierClient.connect(proxy.address);
  await using classifier = await readSmall(client, PARAMETERS);
  const random = new Random(11);
  proxy.cutEach(() => somewhere(random));
  function* batches() {
    for (let number = 0; proxy.connections() <= CUTS; number++) yield batch(number);
    proxy.cutEach(null);
  }
  const steps: number[] = [];
  const losses: number[] = [];
  let mostHeld = 0;
  let pulled = 0;
  function* counted() {
    for (const one of batches()) {
      mostHeld = Math.max(mostHeld, ++pulled - steps.length);
      yield one;
    }
  }
  for await (const { step, loss } of classifier.trainBatches(counted(), { window: 4, expectedStep: 0 })) {
    steps.push(step);
    losses.push(loss);
  }
  t.true(proxy.connections() > CUTS);
  t.deepEqual(
    steps,
    Array.from({ length: pulled }, (_, index) => index + 1),
  );
  t.true(mostHeld <= 5, `${mostHeld} batches held: those in the window and the one that is looked at`);
  t.is(await classifier.getParam('step'), pulled);

  await using twin = await readSmall(t.context.client, PARAMETERS);
  const undisturbed: number[] = [];
  const same = Array.from({ length: pulled }, (_, number) => batch(number));
  for await (const { loss } of twin.trainBatches(same)) undisturbed.push(loss);
  t.deepEqual(losses, undisturbed);
  t.true((await classifier.serialize()).equals(await twin.serialize()));
});

test(`nor do ${CUTS} breaks show where images are stored and named, even while the store forgets them`, async (t) => {
  const { daemon } = t.context;
  await using proxy = await startCuttingProxy(daemon.address);
  await using client = await DlClassifierClient.connect(proxy.address, { onWarning: () => {} });
  await using classifier = await readSmall(client, PARAMETERS);
  const images = Array.from({ length: 40 }, (_, seed): PixelImage => {
    const { data } = noiseImages(1, [32, 32, 1], 1000 + seed);
    return { data, shape: [32, 32, 1] };
  });
  const namedBatch = (number: number): LabelledBatch => ({
    images: Array.from({ length: 8 }, (_, index) => images[(number * 8 + index * (1 + (number % 3))) % images.length] as PixelImage),
    labels: LABELS,
  });
  const random = new Random(12);
  // In the middle of names, and of images that are being stored.
  proxy.cutEach(() =>
    random.below(3) === 0
      ? { from: 'server', bytes: 1 + random.below(1000) }
      : { from: 'client', bytes: 1 + random.below(random.below(2) === 0 ? 2000 : 5 * BATCH_BYTES) },
  );
  const direct = connectTo(daemon.address);
  let made = 0;
  async function* batches() {
    for (; proxy.connections() <= CUTS; made++) {
      if (made % 50 === 30) await call(direct, 'deleteImages', { selection: { $case: 'all', value: true } });
      yield namedBatch(made);
    }
    proxy.cutEach(null);
  }
  const losses: number[] = [];
  for await (const { loss } of classifier.trainBatches(batches(), { window: 4, references: 'always' })) losses.push(loss);
  direct.close();
  t.true(proxy.connections() > CUTS);
  t.is(await classifier.getParam('step'), made);
  await using twin = await readSmall(t.context.client, PARAMETERS);
  const undisturbed: number[] = [];
  const same = Array.from({ length: made }, (_, number) => namedBatch(number));
  for await (const { loss } of twin.trainBatches(same, { references: 'never' })) undisturbed.push(loss);
  t.deepEqual(losses, undisturbed);
  t.true((await classifier.serialize()).equals(await twin.serialize()));
});

test('refused batches are told, and the stream goes on; breaks of the connection change nothing about it', async (t) => {
  await using proxy = await startCuttingProxy(t.context.daemon.address);
  await using client = await DlClassifierClient.connect(proxy.address);
  await using classifier = await readSmall(client, PARAMETERS);
  const random = new Random(5);
  proxy.cutEach(() => somewhere(random));
  const bad = new Set([0, 3, 4, 9, 17, 18, 19, 24]);
  const batches = Array.from({ length: 25 }, (_, number) => (bad.has(number) ? { ...batch(number), labels: ['none'] } : batch(number)));
  const refused: number[] = [];
  const steps: number[] = [];
  const onRefused = (error: Error, number: number) => {
    t.true(error instanceof InvalidLabelError);
    refused.push(number);
  };
  for await (const { step } of classifier.trainBatches(batches, { onRefused })) steps.push(step);
  proxy.cutEach(null);
  t.deepEqual(refused, [...bad]);
  t.deepEqual(
    steps,
    Array.from({ length: 25 - bad.size }, (_, index) => index + 1),
  );
  await using twin = await readSmall(t.context.client, PARAMETERS);
  for await (const _ of twin.trainBatches(batches.filter((_, number) => !bad.has(number))));
  t.true((await classifier.serialize()).equals(await twin.serialize()));
});

test('classifying, reading and storing are repeated where the connection breaks before their answer, unless that is not wanted', async (t) => {
  await using proxy = await startCuttingProxy(t.context.daemon.address);
  await using client = await DlClassifierClient.connect(proxy.address);
  await using classifier = await readSmall(client, PARAMETERS);
  const images = noiseImages(4, [32, 32, 1], 9);
  const trained = await classifier.trainBatch(noiseImages(8, [32, 32, 1], 1), LABELS);
  const applied = await classifier.apply(images);
  const calls: Record<string, (options: RepeatableCallOptions) => Promise<unknown>> = {
    getServerInfo: async (options) => (await client.getServerInfo(options)).version,
    listClassifiers: async (options) => (await client.listClassifiers(options)).stored,
    // What is free changes from call to call.
    estimateMemory: async (options) => (await client.estimateMemory('compact', options)).memory,
    getParam: (options) => classifier.getParam(['step', 'classes'], options),
    describe: async (options) => (await classifier.describe(options)).layers,
    apply: async (options) => (await classifier.apply(images, options)).all(),
    all: (options) => applied.all(options),
    'result.get': (options) => trained.get('loss_regularization', options),
    write: (options) => classifier.write('broken-connections', options),
    serialize: (options) => classifier.serialize(options),
    exportSafetensors: (options) => classifier.exportSafetensors(options),
    exportOnnx: (options) => classifier.exportOnnx(options),
  };
  for (const [name, call] of Object.entries(calls)) {
    const expected = await call({});
    const connections = proxy.connections();
    const cut = proxy.cutAfter(1);
    t.deepEqual(await call({}), expected, name);
    await cut;
    t.true(proxy.connections() > connections, `${name}: the connection broke`);
  }
  const cut = proxy.cutAfter(1);
  await t.throwsAsync(classifier.getParam('step', { retries: 0 }), { instanceOf: ConnectionError });
  await cut;
});

test('a deadline counts for what a call asks before it sends its images', async (t) => {
  await using proxy = await startCuttingProxy(t.context.daemon.address);
  await using client = await DlClassifierClient.connect(proxy.address);
  await using classifier = await readSmall(client, PARAMETERS);
  const file = await sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  for (const call of [
    // The size that the file is to be decoded to; whether the image is stored.
    () => classifier.trainBatch(new Array(8).fill(file), LABELS, { timeoutMs: 100 }),
    () =>
      classifier.trainBatch(
        Array.from({ length: 8 }, () => ({ data: new Uint8Array(1024), shape: [32, 32, 1] as const })),
        LABELS,
        { timeoutMs: 100, references: 'always' },
      ),
    () => classifier.apply([file], { timeoutMs: 100 }),
  ]) {
    t.is(await classifier.getParam('step'), 0);
    // Answers are held back for longer than that, then the connection breaks.
    const cut = proxy.cutAfter(1);
    await t.throwsAsync(call, { instanceOf: DeadlineExceededError });
    await cut;
  }
});
