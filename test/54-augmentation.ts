import sharp from 'sharp';
import { type Augmentation, type Classifier, InvalidRequestError, type LabelledBatch, type TrainBatchOptions } from '../client/index.js';
import { type Augmentation as EngineAugmentation, engineBinding } from '../native/index.js';
import { readSmall, testWithDaemon } from './support/client.js';
import { noiseImages } from './support/noise.js';

const test = testWithDaemon();
const LABELS = ['good', 'bad', 'bad', 'good'];
const SHAPE = { width: 16, height: 16, channels: 1 } as const;
const IMAGE_BYTES = 256;

const ALL: Augmentation = {
  seed: 12,
  methods: 'all',
  mirror: 'rc',
  rotateRange: 25,
  cropPercentage: 80,
  brightnessVariation: 30,
  brightnessVariationSpot: 50,
};

function pixels(seed: number): Uint8Array {
  return noiseImages(4, [16, 16, 1], seed).data;
}

/** What the engine's threads make of a batch: the tests of native/test compare them with their formulas. */
async function varied(data: Uint8Array, counter: bigint): Promise<Uint8Array> {
  const { StagingBuffer, ImageWorkers } = engineBinding();
  const source = new StagingBuffer(data.length);
  source.write(0, data);
  const target = new StagingBuffer(data.length);
  const workers = new ImageWorkers({ threads: 1, queueLength: 4 });
  const augmentation: EngineAugmentation = {
    seed: 12n,
    counter,
    percentage: 100,
    all: true,
    mirror: 'rc',
    rotateStep: null,
    rotateRange: 25,
    cropPercentage: 80,
    cropPixels: null,
    brightnessVariation: 30,
    brightnessVariationSpot: 50,
  };
  for (let index = 0; index < data.length / IMAGE_BYTES; index++) {
    const place = { sourceOffset: index * IMAGE_BYTES, targetOffset: index * IMAGE_BYTES };
    const how = { exact: true, domain: null, normalizeContrast: false, augmentation, index, group: 0 };
    await workers.prepare({ source, sourceBytes: IMAGE_BYTES, pixels: SHAPE, target, ...place, ...SHAPE, ...how });
  }
  await workers.close();
  return target.read(0, data.length);
}

function images(data: Uint8Array): LabelledBatch['images'] {
  return { data, shape: [4, 16, 16, 1] };
}

/** A classifier's weights after one step on each batch. */
async function trained(classifier: Classifier, batches: readonly LabelledBatch['images'][], options: TrainBatchOptions): Promise<string> {
  for (const batch of batches) await classifier.trainBatch(batch, LABELS, options);
  return (await classifier.serialize()).toString('base64');
}

test('a batch is varied by its seed and its step, as the same pixels varied beforehand', async (t) => {
  const batches = [1, 2, 3].map(pixels);
  await using here = await readSmall(t.context.client);
  await using there = await readSmall(t.context.client);
  await using plain = await readSmall(t.context.client);
  const beforehand = await Promise.all(batches.map((data, step) => varied(data, BigInt(step))));
  const expected = await trained(here, beforehand.map(images), {});
  t.is(await trained(there, batches.map(images), { augmentation: ALL }), expected);
  t.not(await trained(plain, batches.map(images), {}), expected);
});

test('image files are varied after they are decoded', async (t) => {
  const data = pixels(5);
  const files = await Promise.all(
    [0, 1, 2, 3].map((index) =>
      sharp(data.subarray(index * IMAGE_BYTES, (index + 1) * IMAGE_BYTES), { raw: SHAPE })
        .png()
        .toBuffer(),
    ),
  );
  await using encoded = await readSmall(t.context.client);
  await using raw = await readSmall(t.context.client);
  t.is(await trained(encoded, [files], { augmentation: ALL, files: 'send' }), await trained(raw, [images(data)], { augmentation: ALL }));
});

test('a counter draws other numbers; the same counter draws the same', async (t) => {
  const data = images(pixels(7));
  const losses: number[] = [];
  for (const counter of [0, 1, 1, 2 ** 40]) {
    await using classifier = await readSmall(t.context.client);
    losses.push((await classifier.trainBatch(data, LABELS, { augmentation: { ...ALL, counter } })).loss);
  }
  t.is(losses[1], losses[2]);
  t.is(new Set(losses).size, 3);
});

test('streams of any window and single calls vary their batches alike', async (t) => {
  const batches = Array.from({ length: 7 }, (_, index) => ({ images: images(pixels(index)), labels: LABELS }));
  await using single = await readSmall(t.context.client);
  const expected = await trained(
    single,
    batches.map((batch) => batch.images),
    { augmentation: ALL },
  );
  for (const window of [1, 4]) {
    await using streamed = await readSmall(t.context.client);
    for await (const _ of streamed.trainBatches(batches, { window, augmentation: ALL }));
    t.is((await streamed.serialize()).toString('base64'), expected);
  }
});

test('a percentage of 0 changes nothing', async (t) => {
  await using some = await readSmall(t.context.client);
  await using none = await readSmall(t.context.client);
  const data = [images(pixels(9))];
  t.is(await trained(some, data, { augmentation: { ...ALL, percentage: 0 } }), await trained(none, data, {}));
});

test('what cannot be is refused, here or there, and no step is made', async (t) => {
  await using classifier = await readSmall(t.context.client);
  const train = (augmentation: Augmentation) => classifier.trainBatch(images(pixels(1)), LABELS, { augmentation });
  await t.throwsAsync(train({ seed: 1, rotateStep: 90, rotateRange: 5 }), { instanceOf: TypeError });
  await t.throwsAsync(train({ seed: 1, cropPercentage: 90, cropPixels: 5 }), { instanceOf: TypeError });
  await t.throwsAsync(train({ seed: -1, mirror: 'r' }), { instanceOf: RangeError });
  await t.throwsAsync(train({ seed: 0.5, mirror: 'r' }), { instanceOf: RangeError });
  const error = await t.throwsAsync(train({ seed: 1, cropPixels: 17 }), { instanceOf: InvalidRequestError });
  t.is(error?.metadata.field, 'augmentation.crop_pixels');
  t.is((await classifier.getParam(['step'])).step, 0);
});
