import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import sharp from 'sharp';
import {
  type Classifier,
  DlClassifierClient,
  type Image,
  type LabelledBatch,
  type PixelImage,
  type TrainBatchesOptions,
  WrongImageCountError,
} from '../client/index.js';
import { call, connectTo } from './support/calls.js';
import { readSmall } from './support/client.js';
import { startCuttingProxy } from './support/cutting_proxy.js';
import { type Daemon, startDaemon } from './support/daemon.js';
import { noiseImages } from './support/noise.js';
import { runProgram } from './support/program.js';

const test = anyTest as TestFn<{ folder: string }>;

const LABELS = ['good', 'bad', 'bad', 'good'];
const SIZE = 64;
const IMAGE_BYTES = SIZE * SIZE;
const PARAMETERS = { image_dimensions: [SIZE, SIZE, 1] } as const;
const ALL = { selection: { $case: 'all', value: true } } as const;

test.beforeEach(async (t) => {
  t.context = { folder: await mkdtemp(join(tmpdir(), 'dl-classifier-references-')) };
});

test.afterEach.always(async (t) => {
  await rm(t.context.folder, { recursive: true, force: true });
});

type Context = ExecutionContext<{ folder: string }>;

/** A daemon and a client that end with the test. */
async function start(t: Context, flags: readonly string[] = []) {
  const daemon = await startDaemon(flags);
  t.teardown(() => daemon.process.kill('SIGKILL'));
  const proxy = await startCuttingProxy(daemon.address);
  t.teardown(() => proxy[Symbol.asyncDispose]());
  const warnings: string[] = [];
  const client = await DlClassifierClient.connect(proxy.address, { onWarning: (message) => warnings.push(message) });
  t.teardown(() => client.close());
  const direct = connectTo(daemon.address);
  t.teardown(() => direct.close());
  return { daemon, proxy, client, warnings, direct };
}

/** Grey 64 x 64 noise, one array each. */
function pixelImages(count: number, seed = 1): PixelImage[] {
  return Array.from({ length: count }, (_, index) => ({
    data: noiseImages(1, [SIZE, SIZE, 1], seed + index).data,
    shape: [SIZE, SIZE, 1],
  }));
}

async function imageFiles(folder: string, count: number): Promise<string[]> {
  return await Promise.all(
    pixelImages(count).map(async ({ data }, index) => {
      const path = join(folder, `${index}.png`);
      await sharp(data as Uint8Array, { raw: { width: SIZE, height: SIZE, channels: 1 } })
        .toColourspace('b-w')
        .png()
        .toFile(path);
      return path;
    }),
  );
}

/** One epoch: batches of 4, in another order each time. */
function epochOf(images: readonly Image[], epoch: number): LabelledBatch[] {
  const order = images.map((_, index) => images[(index * 5 + epoch) % images.length] as Image);
  return Array.from({ length: images.length / 4 }, (_, index) => ({ images: order.slice(index * 4, index * 4 + 4), labels: LABELS }));
}

async function train(classifier: Classifier, batches: readonly LabelledBatch[], options: TrainBatchesOptions = {}): Promise<number[]> {
  const losses: number[] = [];
  for await (const { loss } of classifier.trainBatches(batches, options)) losses.push(loss);
  return losses;
}

/** Losses of all epochs where every image is sent. */
async function sentEverything(client: DlClassifierClient, images: readonly Image[], epochs: number, options: TrainBatchesOptions = {}) {
  await using classifier = await readSmall(client, PARAMETERS);
  const losses: number[][] = [];
  for (let epoch = 0; epoch < epochs; epoch++)
    losses.push(await train(classifier, epochOf(images, epoch), { ...options, references: 'never' }));
  return { losses, bytes: await classifier.serialize() };
}

for (const [what, files] of [
  ['pixels', undefined],
  ['files that are decoded here', 'decode'],
  ['files that are sent', 'send'],
  ['files that the server preprocesses', 'preprocess'],
] as const) {
  test.serial(
    `${what}: the first epoch sends each image once, later ones name them, and the weights are bit for bit the same`,
    async (t) => {
      const { client, proxy, warnings, direct } = await start(t);
      const images: Image[] = files === undefined ? pixelImages(12) : await imageFiles(t.context.folder, 12);
      await using classifier = await readSmall(client, PARAMETERS);
      const losses: number[][] = [];
      const sent: number[] = [];
      for (let epoch = 0; epoch < 3; epoch++) {
        const before = proxy.sentBytes();
        losses.push(await train(classifier, epochOf(images, epoch), { files }));
        sent.push(proxy.sentBytes() - before);
      }
      const [first = 0, ...later] = sent;
      t.true(first > 12 * IMAGE_BYTES * 0.9 && first < 12 * IMAGE_BYTES * 1.5, `${first} bytes in the first epoch`);
      for (const bytes of later) t.true(bytes < 12 * IMAGE_BYTES * 0.15, `${bytes} bytes in a later epoch`);
      t.is((await call(direct, 'getStoreInfo', {})).images, 12n);
      t.deepEqual(warnings, []);
      const plain = await sentEverything(client, images, 3, { files });
      t.deepEqual(losses, plain.losses);
      t.true((await classifier.serialize()).equals(plain.bytes));
    },
  );
}

test('a new client does not send again what is stored', async (t) => {
  const { client, daemon } = await start(t);
  const images = pixelImages(8);
  await using classifier = await readSmall(client, PARAMETERS);
  await train(classifier, epochOf(images, 0));
  const proxy = await startCuttingProxy(daemon.address);
  await using other = await DlClassifierClient.connect(proxy.address);
  const before = proxy.sentBytes();
  const { loss } = await other.openHandle(classifier.handle).trainBatch(images.slice(0, 4), LABELS);
  t.true(Number.isFinite(loss));
  t.true(proxy.sentBytes() - before < IMAGE_BYTES);
  await proxy[Symbol.asyncDispose]();
});

test('single steps name images, too', async (t) => {
  const { client, proxy } = await start(t);
  const images = pixelImages(4);
  await using classifier = await readSmall(client, PARAMETERS);
  await using plain = await readSmall(client, PARAMETERS);
  await classifier.trainBatch(images, LABELS);
  await plain.trainBatch(images, LABELS, { references: 'never' });
  const before = proxy.sentBytes();
  const { loss } = await classifier.trainBatch(images, LABELS);
  t.true(proxy.sentBytes() - before < IMAGE_BYTES);
  t.is(loss, (await plain.trainBatch(images, LABELS, { references: 'never' })).loss);
});

test('images that the server has lost are sent again, each step is made once and in order', async (t) => {
  const { client, direct, warnings } = await start(t);
  const images = pixelImages(16);
  await using classifier = await readSmall(client, PARAMETERS);
  const losses: number[][] = [await train(classifier, epochOf(images, 0))];
  async function* batches() {
    for (const [index, batch] of epochOf(images, 1).entries()) {
      if (index === 2) await call(direct, 'deleteImages', ALL);
      yield batch;
    }
  }
  const second: number[] = [];
  for await (const { loss } of classifier.trainBatches(batches(), { window: 4 })) second.push(loss);
  losses.push(second);
  const plain = await sentEverything(client, images, 2);
  t.deepEqual(losses, plain.losses);
  t.true((await classifier.serialize()).equals(plain.bytes));
  t.deepEqual(warnings, []);
});

test('a store that forgets everything again and again does not stop the training', async (t) => {
  const { client, direct, warnings } = await start(t);
  const images = pixelImages(8);
  await using classifier = await readSmall(client, PARAMETERS);
  const losses: number[][] = [];
  for (let epoch = 0; epoch < 5; epoch++) {
    losses.push(await train(classifier, epochOf(images, epoch)));
    await call(direct, 'deleteImages', ALL);
  }
  t.deepEqual(losses, (await sentEverything(client, images, 5)).losses);
  t.is(warnings.length, 1);
  t.regex(warnings[0] ?? '', /made room for others/);
});

test('batches under way that share their images put each once, and none of them counts as evicted', async (t) => {
  const { client, direct, proxy, warnings } = await start(t);
  const images = pixelImages(4);
  await using classifier = await readSmall(client, PARAMETERS);
  const batches = Array.from({ length: 12 }, (_, index) => ({
    images: [...images.slice(index % 4), ...images.slice(0, index % 4)],
    labels: LABELS,
  }));
  // The second time the store has lost them.
  for (const what of ['first', 'again']) {
    const before = proxy.sentBytes();
    const losses = await train(classifier, batches, { window: 8 });
    t.is(losses.length, 12);
    const sent = proxy.sentBytes() - before;
    t.true(sent < 4 * IMAGE_BYTES * 1.8, `${sent} bytes, ${what}: the images are sent once, then named`);
    t.is((await call(direct, 'getStoreInfo', {})).images, 4n, what);
    await call(direct, 'deleteImages', ALL);
  }
  t.deepEqual(warnings, []);
});

test('a program whose names were refused ends when it has nothing more to do', async (t) => {
  const { daemon } = await start(t);
  const { exitCode, stdout, stderr } = await runProgram('forgetful_training.ts', [daemon.address]);
  t.is(exitCode, 0, stderr);
  t.is(stdout, '40 steps\n');
});

test('a data set larger than the store is sent where it does not fit, with one warning', async (t) => {
  // 5 of 12 images fit; 4 of them are used, because the rest of the store is left to others.
  const { client, direct, warnings, proxy } = await start(t, ['--max-stored-bytes', String(5 * IMAGE_BYTES)]);
  const images = pixelImages(12);
  await using classifier = await readSmall(client, PARAMETERS);
  const losses: number[][] = [];
  for (let epoch = 0; epoch < 2; epoch++) losses.push(await train(classifier, epochOf(images, epoch)));
  const before = proxy.sentBytes();
  losses.push(await train(classifier, epochOf(images, 2)));
  const sent = proxy.sentBytes() - before;
  t.true(sent > 8 * IMAGE_BYTES * 0.9 && sent < 8 * IMAGE_BYTES * 1.3, `${sent} bytes: only what does not fit`);
  t.is(warnings.length, 1);
  t.regex(warnings[0] ?? '', /larger than the server's store .*--max-stored-bytes/);
  const { images: stored, evictedImages } = await call(direct, 'getStoreInfo', {});
  t.deepEqual([stored, evictedImages], [4n, 0n]);
  t.deepEqual(losses, (await sentEverything(client, images, 3)).losses);
});

test('a disk that takes no more in the middle of a training: what is stored is named still, the rest is sent, with one warning', async (t) => {
  const store = join(t.context.folder, 'images');
  const { client, direct, warnings, proxy } = await start(t, ['--images', store]);
  const images = pixelImages(12);
  const epochs = [epochOf(images, 0).slice(0, 1), epochOf(images, 1), epochOf(images, 2)];
  await using classifier = await readSmall(client, PARAMETERS);
  const losses = [await train(classifier, epochs[0] ?? [])];
  await rm(join(store, 'arriving'), { recursive: true });
  await writeFile(join(store, 'arriving'), 'no folder');
  losses.push(await train(classifier, epochs[1] ?? []));
  const before = proxy.sentBytes();
  losses.push(await train(classifier, epochs[2] ?? []));
  const sent = proxy.sentBytes() - before;
  t.true(sent > 8 * IMAGE_BYTES * 0.9 && sent < 8 * IMAGE_BYTES * 1.3, `${sent} bytes: only what is not stored`);
  t.is((await call(direct, 'getStoreInfo', {})).images, 4n);
  t.is(warnings.length, 1);
  t.regex(warnings[0] ?? '', /images that are not stored yet are sent with every batch: .*ENOTDIR/);
  await using plain = await readSmall(client, PARAMETERS);
  for (const [index, epoch] of epochs.entries()) t.deepEqual(losses[index], await train(plain, epoch, { references: 'never' }));
});

test('two users whose images do not fit into the store together train as if each were alone', async (t) => {
  const { client, daemon, direct } = await start(t, ['--max-stored-bytes', String(10 * IMAGE_BYTES)]);
  await using other = await DlClassifierClient.connect(daemon.address, { onWarning: () => {} });
  const training = async (user: DlClassifierClient, images: readonly Image[]) => {
    await using classifier = await readSmall(user, PARAMETERS);
    const losses: number[][] = [];
    for (let epoch = 0; epoch < 6; epoch++) losses.push(await train(classifier, epochOf(images, epoch)));
    return { losses, bytes: await classifier.serialize() };
  };
  const [ours, theirs] = [pixelImages(8, 100), pixelImages(8, 200)];
  const trained = await Promise.all([training(client, ours), training(other, theirs)]);
  t.true((await call(direct, 'getStoreInfo', {})).evictedImages > 0n, "they got into each other's way");
  t.deepEqual(trained, [await sentEverything(client, ours, 6), await sentEverything(client, theirs, 6)]);
});

for (const [what, flags, warning] of [
  ['stores no images', ['--max-stored-bytes', '0'], /--max-stored-bytes 0/],
  ['stores no images of this size', ['--max-stored-image-bytes', '1000'], /more than 1000 bytes/],
] as const) {
  test(`a server that ${what} gets them with every batch, and the user one warning`, async (t) => {
    const { client, warnings } = await start(t, flags);
    const images = pixelImages(8);
    await using classifier = await readSmall(client, PARAMETERS);
    const losses = [await train(classifier, epochOf(images, 0)), await train(classifier, epochOf(images, 1))];
    t.deepEqual(losses, (await sentEverything(client, images, 2)).losses);
    t.is(warnings.length, 1);
    t.regex(warnings[0] ?? '', warning);
  });
}

test('images that have changed since are sent as they are now', async (t) => {
  const { client } = await start(t);
  const [changing, ...rest] = pixelImages(4) as [PixelImage, ...PixelImage[]];
  const file = join(t.context.folder, 'image.png');
  const write = (image: PixelImage) =>
    sharp(image.data as Uint8Array, { raw: { width: SIZE, height: SIZE, channels: 1 } })
      .png()
      .toBuffer()
      .then((bytes) => writeFile(file, bytes));
  await write(changing);
  await using classifier = await readSmall(client, PARAMETERS);
  await using plain = await readSmall(client, PARAMETERS);
  const step = async () => {
    const images = [changing, file, ...rest.slice(1)];
    const { loss } = await classifier.trainBatch(images, LABELS);
    t.is(loss, (await plain.trainBatch(images, LABELS, { references: 'never' })).loss);
  };
  await step();
  await step();
  (changing.data as Uint8Array).reverse();
  await step();
  await write(changing);
  await step();
});

test('with constantImages an image that is named again is not looked at', async (t) => {
  const { client } = await start(t);
  const images = pixelImages(4);
  const asGiven = images.map(({ data, shape }) => ({ data: Uint8Array.from(data), shape }));
  await using classifier = await readSmall(client, PARAMETERS);
  await using plain = await readSmall(client, PARAMETERS);
  for (const constantImages of [true, true, false]) {
    const { loss } = await classifier.trainBatch(images, LABELS, { constantImages });
    // What it was told not to look at has changed since the first step; the last step looks again.
    const held = constantImages ? asGiven : images;
    t.is(loss, (await plain.trainBatch(held, LABELS, { references: 'never' })).loss);
    for (const { data } of images) (data as Uint8Array).reverse();
  }
});

test('a server that was restarted has the images still; the client goes on with them', async (t) => {
  const { folder } = t.context;
  const images = pixelImages(4, 50);
  const first = await startDaemon(['--images', folder]);
  const address = first.address;
  const client = await DlClassifierClient.connect(address);
  t.teardown(() => client.close());
  const before = await readSmall(client, PARAMETERS);
  const { loss } = await before.trainBatch(images, LABELS);
  const exited = once(first.process, 'exit');
  first.process.kill('SIGKILL');
  await exited;
  // One image is damaged meanwhile.
  const [sub] = (await readdir(folder)).filter((name) => /^[0-9a-f]{2}$/.test(name));
  const [name] = await readdir(join(folder, sub ?? ''));
  await writeFile(join(folder, sub ?? '', name ?? ''), 'damaged');
  const second: Daemon = await startDaemon(['--images', folder, '--listen', address]);
  t.teardown(() => second.process.kill('SIGKILL'));
  const classifier = await client.readClassifier('compact', { seed: 5 });
  await classifier.setParam({ classes: ['good', 'bad'], batch_size: 4, deterministic: true, ...PARAMETERS });
  t.is((await classifier.trainBatch(images, LABELS)).loss, loss);
  const direct = connectTo(second.address);
  const { images: stored, damagedImages } = await call(direct, 'getStoreInfo', {});
  t.deepEqual([stored, damagedImages], [4n, 1n]);
  direct.close();
});

test('a refused batch is told, and the stream goes on, whether or not images are named', async (t) => {
  const { client, direct } = await start(t);
  const images = pixelImages(8);
  await using classifier = await readSmall(client, PARAMETERS);
  await train(classifier, epochOf(images, 0));
  await call(direct, 'deleteImages', ALL);
  const [first, second] = epochOf(images, 1) as [LabelledBatch, LabelledBatch];
  const short = { images: images.slice(0, 3), labels: LABELS.slice(0, 3) };
  const refused: [string, number][] = [];
  const batches = [first, short, second, short, first];
  const losses = await train(classifier, batches, { onRefused: (error, batch) => refused.push([error.name, batch]), window: 5 });
  t.deepEqual(refused, [
    [WrongImageCountError.name, 1],
    [WrongImageCountError.name, 3],
  ]);
  await using plain = await readSmall(client, PARAMETERS);
  await train(plain, epochOf(images, 0), { references: 'never' });
  t.deepEqual(losses, await train(plain, [first, second, first], { references: 'never' }));
});

test('classifying names images only if that is asked for', async (t) => {
  const { client, proxy, direct } = await start(t);
  const images = pixelImages(6, 90);
  await using classifier = await readSmall(client, PARAMETERS);
  const all = async (references?: 'always') => await (await classifier.apply(images, { references })).all();
  const plain = await all();
  t.is((await call(direct, 'getStoreInfo', {})).images, 0n);
  t.deepEqual(await all('always'), plain);
  const before = proxy.sentBytes();
  t.deepEqual(await all('always'), plain);
  t.true(proxy.sentBytes() - before < 2 * IMAGE_BYTES);
  t.is((await call(direct, 'getStoreInfo', {})).images, 6n);
});

test('a PixelBatch is stored only if that is asked for', async (t) => {
  const { client, direct } = await start(t);
  const batch = noiseImages(4, [SIZE, SIZE, 1], 7);
  await using classifier = await readSmall(client, PARAMETERS);
  await using plain = await readSmall(client, PARAMETERS);
  const { loss } = await plain.trainBatch(batch, LABELS);
  t.is((await call(direct, 'getStoreInfo', {})).images, 0n);
  t.is((await classifier.trainBatch(batch, LABELS, { references: 'always' })).loss, loss);
  t.is((await call(direct, 'getStoreInfo', {})).images, 4n);
});
