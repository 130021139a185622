import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { call, connectTo, openUpload, untilArrived } from './support/calls.js';
import { noiseBatch, readCompact } from './support/classifier.js';
import { type Daemon, runDaemon, startDaemon } from './support/daemon.js';
import { describeStored, type Images, imageFiles, missingImages, noisePixels, putImages, putMessages } from './support/stored_images.js';
import { refusalOf, train } from './support/wire.js';

/** What kills, disks and folders do to the store of a daemon. */
const test = anyTest as TestFn<{ folder: string }>;

test.beforeEach(async (t) => {
  t.context = { folder: await mkdtemp(join(tmpdir(), 'dl-classifierd-images-')) };
});

test.afterEach.always(async (t) => {
  await rm(t.context.folder, { recursive: true, force: true });
});

/** A daemon that ends with the test, however that ends. */
async function start(t: ExecutionContext<{ folder: string }>, flags: readonly string[] = []): Promise<Daemon> {
  const daemon = await startDaemon(flags);
  t.teardown(() => daemon.process.kill('SIGKILL'));
  return daemon;
}

async function kill(daemon: Daemon): Promise<void> {
  const exited = once(daemon.process, 'exit');
  daemon.process.kill('SIGKILL');
  await exited;
  await rm(daemon.models, { recursive: true, force: true });
}

/** Paths of the files that hold images. */
async function imagePaths(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && /^[0-9a-f]{64}-/.test(entry.name));
  return files.map((entry) => join(entry.parentPath, entry.name));
}

function storedBatch(images: Images) {
  return { images: describeStored(images), labels: noiseBatch().labels, pixels: new Uint8Array() };
}

test('a daemon that is killed in the middle of PutImages keeps what it has answered for, whole, and nothing else', async (t) => {
  const { folder } = t.context;
  const stored = noisePixels([1, 2, 3, 4]);
  const many = imageFiles(Array.from({ length: 2000 }, (_, index) => Buffer.alloc(4000, `image ${index},`)));
  const first = await start(t, ['--images', folder]);
  const client = connectTo(first.address);
  await putImages(client, stored);
  // One upload without its commit, one that is being written when the daemon dies.
  const half = openUpload(client, 'putImages');
  for (const message of putMessages(noisePixels([5, 6])).slice(0, -1)) await half.send(message);
  const writing = openUpload(client, 'putImages');
  for (const message of putMessages(many)) await writing.send(message);
  await untilArrived(client);
  while ((await imagePaths(folder)).length < 10) await untilArrived(client);
  await kill(first);
  client.close();

  const second = await start(t, ['--images', folder]);
  const successor = connectTo(second.address);
  t.deepEqual(await missingImages(successor, stored), []);
  t.deepEqual(await missingImages(successor, noisePixels([5, 6])), [0, 1]);
  t.deepEqual(await readdir(join(folder, 'arriving')), []);
  const paths = await imagePaths(folder);
  const { images, bytes } = await call(successor, 'getStoreInfo', {});
  t.is(images, BigInt(paths.length));
  t.is(bytes, BigInt((await Promise.all(paths.map((path) => readFile(path)))).reduce((sum, file) => sum + file.length, 0)));
  // Each file that has a name is whole: a step on references works, and no image turns out to be damaged.
  const classifier = await readCompact(successor);
  t.is((await train(successor, classifier, storedBatch(stored))).step, 1n);
  t.is((await putImages(successor, many)).addedImages, 2004 - paths.length);
  t.is((await call(successor, 'getStoreInfo', {})).damagedImages, 0n);
  successor.close();
  await second.stop();
});

test('a daemon that is killed while images make room for others keeps whole images alone, and no more than it may', async (t) => {
  const { folder } = t.context;
  const room = 100;
  const flags = ['--images', folder, '--max-stored-bytes', String(room * 4000)];
  const many = (from: number) => imageFiles(Array.from({ length: room }, (_, index) => Buffer.alloc(4000, `image ${from + index},`)));
  for (let round = 0; round < 3; round++) {
    const daemon = await start(t, flags);
    const client = connectTo(daemon.address);
    await putImages(client, many(1000 * round));
    const before = (await call(client, 'getStoreInfo', {})).evictedImages;
    // Each of these images makes another one leave.
    const writing = openUpload(client, 'putImages');
    for (const message of putMessages(many(1000 * round + 500))) await writing.send(message);
    while ((await call(client, 'getStoreInfo', {})).evictedImages < before + 5n);
    await kill(daemon);
    client.close();

    const paths = await imagePaths(folder);
    const sizes = await Promise.all(paths.map(async (path) => (await readFile(path)).length));
    t.true(paths.length > room / 2 && sizes.every((size) => size === 4000), `round ${round}: ${paths.length} files`);
  }
  const last = await start(t, flags);
  const successor = connectTo(last.address);
  const { images, bytes, maximumBytes, damagedImages } = await call(successor, 'getStoreInfo', {});
  t.true(bytes <= maximumBytes);
  t.is(damagedImages, 0n);
  t.is((await putImages(successor, many(9000))).addedImages, room);
  t.true(images > 0n);
  successor.close();
  await last.stop();
  t.is((await imagePaths(folder)).length, room);
});

test('a damaged file is found when its image is used, told as unknown, and mended by putting the image again', async (t) => {
  const { folder } = t.context;
  const images = noisePixels([1, 2, 3, 4]);
  const first = await start(t, ['--images', folder]);
  const client = connectTo(first.address);
  await putImages(client, images);
  client.close();
  await first.stop();
  const paths = await imagePaths(folder);
  const damaged = paths[2] ?? '';
  const bytes = await readFile(damaged);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  await writeFile(damaged, bytes);

  const second = await start(t, ['--images', folder]);
  const successor = connectTo(second.address);
  const classifier = await readCompact(successor);
  const { reason, metadata } = await refusalOf(train(successor, classifier, storedBatch(images)));
  t.is(reason, 'UNKNOWN_IMAGES');
  t.is(metadata.count, '1');
  t.is((await call(successor, 'getStoreInfo', {})).damagedImages, 1n);
  t.deepEqual(await missingImages(successor, images), [Number(metadata.image)]);
  t.is((await putImages(successor, images)).addedImages, 1);
  const { loss } = await train(successor, classifier, storedBatch(images));
  const twin = await readCompact(successor);
  const sent = { ...noiseBatch(), pixels: Buffer.concat(images.parts) };
  t.is(loss, (await train(successor, twin, sent)).loss);
  successor.close();
  await second.stop();
});

test('by default the images lie beside the classifiers', async (t) => {
  const daemon = await start(t);
  const client = connectTo(daemon.address);
  await putImages(client, noisePixels([1, 2]));
  t.is((await imagePaths(join(daemon.models, 'images'))).length, 2);
  t.deepEqual((await call(client, 'listClassifiers', {})).stored, []);
  client.close();
  await daemon.stop();
});

test('a daemon without a store says so, and takes images that are sent', async (t) => {
  const daemon = await start(t, ['--max-stored-bytes', '0']);
  const client = connectTo(daemon.address);
  const images = noisePixels([1, 2, 3, 4]);
  const { reason, metadata } = await refusalOf(putImages(client, images));
  t.is(reason, 'IMAGE_STORE_UNAVAILABLE');
  t.regex(metadata.problem ?? '', /--max-stored-bytes 0/);
  t.regex((await call(client, 'getStoreInfo', {})).problem, /--max-stored-bytes 0/);
  t.deepEqual(await missingImages(client, images), [0, 1, 2, 3]);
  t.is((await train(client, await readCompact(client), noiseBatch())).step, 1n);
  client.close();
  await daemon.stop();
});

test('a folder for images that cannot be used ends the start with one line', async (t) => {
  const path = join(t.context.folder, 'file');
  await writeFile(path, 'no folder');
  const { exitCode, stderr } = await runDaemon(['--listen', '127.0.0.1:0', '--models', t.context.folder, '--images', path]);
  t.is(exitCode, 2);
  t.regex(stderr, /^dl-classifierd: the folder .*file cannot hold images: .*; name another with --images\n$/);
});

test('a default folder that cannot be used leaves a daemon without a store', async (t) => {
  const { folder } = t.context;
  await writeFile(join(folder, 'images'), 'no folder');
  const daemon = await start(t, ['--models', folder]);
  const client = connectTo(daemon.address);
  t.regex((await call(client, 'getStoreInfo', {})).problem, /ENOTDIR/);
  client.close();
  await daemon.stop();
});
