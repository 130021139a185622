import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { Refusal } from '../server/errors/refusal.js';
import { arrivingName } from '../server/image_store/arriving_files.js';
import { ImageFolder } from '../server/image_store/image_folder.js';
import { nameOf } from '../server/image_store/image_name.js';
import type { ImageStore } from '../server/image_store/image_store.js';
import { openImageStore } from '../server/image_store/open_image_store.js';
import { pixelsAsStored, placeReferredPixels } from '../server/image_store/referred_pixels.js';
import type { ArrivedImage, StoredImage } from '../server/image_store/stored_image.js';
import { createLogger } from '../server/log.js';
import { sha256 } from './support/stored_images.js';

/** The store itself, on a real folder, without a daemon. */
const test = anyTest as TestFn<{ folder: string; open: ImageStore[] }>;

test.beforeEach(async (t) => {
  t.context = { folder: await mkdtemp(join(tmpdir(), 'dl-classifier-images-')), open: [] };
});

test.afterEach.always(async (t) => {
  for (const store of t.context.open) await store.close();
  await rm(t.context.folder, { recursive: true, force: true });
});

type Context = ExecutionContext<{ folder: string; open: ImageStore[] }>;

async function open(t: Context, maximumBytes: number | null = 1000, maximumPixelBytes = 0): Promise<ImageStore> {
  const config = { folder: t.context.folder, named: true, maximumBytes, maximumImageBytes: 1000, maximumPixelBytes };
  const store = await openImageStore(config, createLogger('silent'));
  t.context.open.push(store);
  return store;
}

/** An image file of 100 bytes. */
function image(seed: number): ArrivedImage {
  const data = Buffer.alloc(100, `image ${seed}.`);
  return { name: nameOf(sha256(data).toString('hex'), 'encoded'), data };
}

function images(...seeds: number[]): ArrivedImage[] {
  return seeds.map(image);
}

const namesOf = (...seeds: number[]) => images(...seeds).map(({ name }) => name);

/** Which of the images 0..9 are stored; looking counts as using, so a test looks last. */
function stored(store: ImageStore): number[] {
  const all = Array.from({ length: 10 }, (_, seed) => seed);
  const missing = store.missing(namesOf(...all));
  return all.filter((seed) => !missing.includes(seed));
}

/** Paths of all files that hold an image. */
async function files(t: Context): Promise<string[]> {
  const found = await readdir(t.context.folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile() && entry.name !== 'order').map((entry) => join(entry.parentPath, entry.name));
}

async function read(store: ImageStore, name: ArrivedImage['name']): Promise<Uint8Array | null> {
  const referred = store.refer([name]);
  try {
    return await store.read(referred.images[0] as StoredImage);
  } finally {
    referred.release();
  }
}

test('what is stored is there, in a file that holds its bytes and nothing else', async (t) => {
  const store = await open(t);
  t.is(await store.add(images(1, 2)), 2);
  t.deepEqual(stored(store), [1, 2]);
  t.is(store.bytes, 200);
  t.deepEqual(await read(store, image(2).name), image(2).data);
  const contents = await Promise.all((await files(t)).map((path) => readFile(path, 'latin1')));
  t.deepEqual(contents.sort(), [image(1), image(2)].map(({ data }) => data.toString()).sort());
});

test('an image that is stored already is not stored again, nor is one that comes twice', async (t) => {
  const store = await open(t);
  await store.add(images(1));
  t.is(await store.add(images(1, 2, 2)), 1);
  t.is(store.bytes, 200);
});

test('calls that store the same images at once store each once', async (t) => {
  const store = await open(t);
  const added = await Promise.all([store.add(images(1, 2, 3)), store.add(images(3, 2, 1)), store.add(images(2, 4))]);
  t.is(
    added.reduce((sum, count) => sum + count),
    4,
  );
  t.is(store.count, 4);
  t.is(store.bytes, 400);
  t.is((await files(t)).length, 4);
});

test('the least recently used make room', async (t) => {
  const store = await open(t, 300);
  await store.add(images(1, 2, 3));
  store.missing(namesOf(1));
  await store.add(images(4));
  t.is(store.evicted, 1);
  t.deepEqual(stored(store), [1, 3, 4]);
  store.refer(namesOf(1)).release();
  await store.add(images(5, 6));
  t.deepEqual(stored(store), [1, 5, 6]);
  t.is(store.bytes, 300);
});

test('evicted images leave no file', async (t) => {
  const store = await open(t, 300);
  for (let seed = 0; seed < 10; seed++) await store.add(images(seed));
  await store.close();
  t.is((await files(t)).length, 3);
});

test('images that a batch refers to stay until it is released', async (t) => {
  const store = await open(t, 300);
  await store.add(images(1, 2, 3));
  const referred = store.refer(namesOf(1, 2));
  await store.add(images(4));
  t.deepEqual(stored(store), [1, 2, 4]);
  const all = store.refer(namesOf(4));
  const refusal = await t.throwsAsync(store.add(images(5)), { instanceOf: Refusal });
  t.is(refusal?.reason, 'SERVER_BUSY');
  t.is(refusal?.metadata.limit, 'stored_bytes');
  referred.release();
  referred.release();
  await store.add(images(5));
  all.release();
  t.deepEqual(stored(store), [2, 4, 5]);
});

test('what would take the place of images in use is refused, and evicts nothing', async (t) => {
  const store = await open(t, 300);
  await store.add(images(1, 2, 3));
  const referred = store.refer(namesOf(1, 2));
  const larger = { ...image(4), data: new Uint8Array(200) };
  const refusal = await t.throwsAsync(store.add([larger]), { instanceOf: Refusal });
  t.is(refusal?.reason, 'SERVER_BUSY');
  t.deepEqual([store.count, store.evicted], [3, 0]);
  referred.release();
  await store.add([larger]);
  t.deepEqual([store.count, store.evicted], [2, 2]);
});

test('more than may be stored at all is refused, and evicts nothing', async (t) => {
  const store = await open(t, 300);
  await store.add(images(1));
  const refusal = await t.throwsAsync(store.add(images(2, 3, 4, 5)), { instanceOf: Refusal });
  t.is(refusal?.reason, 'LIMIT_EXCEEDED');
  t.deepEqual(refusal?.metadata, { limit: 'stored_bytes', got: '400', maximum: '300' });
  t.deepEqual(stored(store), [1]);
});

test('a deleted image that a batch refers to can be read by that batch, and is gone after it', async (t) => {
  const store = await open(t);
  await store.add(images(1, 2));
  const referred = store.refer(namesOf(1));
  t.is(store.delete(namesOf(1, 1, 9)), 1);
  t.deepEqual(stored(store), [2]);
  t.deepEqual(await store.read(referred.images[0] as StoredImage), image(1).data);
  referred.release();
  await store.close();
  t.is((await files(t)).length, 1);
});

test('an image that is deleted and stored again while a batch refers to it keeps its new file', async (t) => {
  const store = await open(t);
  await store.add(images(1));
  const referred = store.refer(namesOf(1));
  store.delete(namesOf(1));
  await store.add(images(1));
  referred.release();
  await store.close();
  t.deepEqual(await read(store, image(1).name), image(1).data);
});

test('deleting and storing in turns without waiting ends with what came last', async (t) => {
  const store = await open(t);
  const adding: Promise<number>[] = [];
  for (let round = 0; round < 50; round++) {
    adding.push(store.add(images(1, 2)));
    await adding.at(-1);
    store.delete(namesOf(1, 2));
    adding.push(store.add(images(1)));
  }
  await Promise.all(adding);
  t.deepEqual(await read(store, image(1).name), image(1).data);
  t.deepEqual(stored(store), [1]);
});

test('what was stored is there after a restart, in the order of use', async (t) => {
  const first = await open(t);
  await first.add(images(1, 2, 3, 4));
  first.missing(namesOf(1));
  await first.close();
  const second = await open(t, 300);
  t.deepEqual(stored(second), [1, 3, 4]);
  t.is(second.bytes, 300);
});

test('images that came after the order was written are the last to go', async (t) => {
  const first = await open(t);
  await first.add(images(1));
  await first.add(images(2));
  await first.close();
  // A daemon that is killed after this does not write the order again.
  await (await open(t)).add(images(3));
  const third = await open(t, 200);
  t.deepEqual(stored(third), [2, 3]);
});

/** The number of a process that has ended. */
async function pidOfGone(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid ?? 0;
}

/** Leaves a half-written file of this name. */
async function abandon(folder: string, fileName: string, daysAgo = 0): Promise<void> {
  const path = join(folder, 'arriving', fileName);
  await writeFile(path, 'half');
  const time = Date.now() / 1000 - daysAgo * 24 * 60 * 60;
  await utimes(path, time, time);
}

test('what another process is writing stays when the folder is opened, what is older than a day does not', async (t) => {
  const { folder } = t.context;
  await (await open(t)).add(images(1));
  const alive = arrivingName();
  const elsewhere = alive.replace(/[0-9a-f]{16}$/, '0123456789abcdef');
  for (const name of [alive, elsewhere, '0123456789abcdef', 'order']) await abandon(folder, name);
  for (const name of [arrivingName(), arrivingName(await pidOfGone()), `a${elsewhere.slice(1)}`, 'a file of others']) {
    await abandon(folder, name, 1.1);
  }
  await open(t);
  t.deepEqual((await readdir(join(folder, 'arriving'))).sort(), [alive, elsewhere, '0123456789abcdef', 'order'].sort());
});

test('a daemon that starts does not disturb what another one stores in the same folder', async (t) => {
  const store = await open(t, 100_000);
  const all = Array.from({ length: 300 }, (_, seed) => seed);
  let added = 0;
  const adding = (async () => {
    for (const seed of all) added += await store.add(images(seed));
  })();
  adding.catch(() => {});
  let opened = 0;
  for (; added < all.length && opened < 1000; opened++) await ImageFolder.open(t.context.folder, true);
  await adding;
  t.true(opened > 1);
  t.is(added, all.length);
});

test('half-written files and files of others are no images', async (t) => {
  const { folder } = t.context;
  await (await open(t)).add(images(1));
  const [path = ''] = await files(t);
  await abandon(folder, arrivingName(await pidOfGone()));
  await mkdir(join(folder, 'ff'), { recursive: true });
  await writeFile(join(folder, 'ff', 'notes.txt'), 'mine');
  // In a folder where it is not looked for, and of a size that its shape does not have.
  await writeFile(join(folder, 'ff', path.slice(path.lastIndexOf('/') + 1).replace(/^../, 'fe')), 'x');
  await writeFile(join(folder, 'ff', `${'f'.repeat(64)}-10.uint8-4x4x1`), '0123456789');
  const store = await open(t);
  t.is(store.count, 1);
  t.deepEqual(await readdir(join(folder, 'arriving')), []);
  t.is(await readFile(join(folder, 'ff', 'notes.txt'), 'utf8'), 'mine');
});

for (const [what, damage] of [
  ['changed', (path: string) => writeFile(path, Buffer.alloc(100, 'x'))],
  ['cut short', async (path: string) => writeFile(path, (await readFile(path)).subarray(0, 50))],
  ['empty', (path: string) => writeFile(path, '')],
  ['gone', (path: string) => rm(path)],
] as const) {
  test(`a file that is ${what} is found, dropped, and its image can be stored again`, async (t) => {
    const store = await open(t);
    await store.add(images(1));
    const [path = ''] = await files(t);
    await damage(path);
    t.is(await read(store, image(1).name), null);
    t.is(store.damaged, 1);
    t.deepEqual(stored(store), []);
    t.is(store.bytes, 0);
    t.is(await store.add(images(1)), 1);
    t.deepEqual(await read(store, image(1).name), image(1).data);
  });
}

test('unknown images are refused with all of their positions', async (t) => {
  const store = await open(t);
  await store.add(images(1, 3));
  const error = t.throws(() => store.refer([...namesOf(1, 2), null, ...namesOf(3, 4)]), { instanceOf: Refusal });
  t.is(error?.reason, 'UNKNOWN_IMAGES');
  t.deepEqual(error?.metadata, { count: '2', image: '1' });
  t.is(error?.details.length, 1);
});

test('a disk that refuses leaves the store as it was', async (t) => {
  const store = await open(t);
  await store.add(images(1));
  await rm(join(t.context.folder, 'arriving'), { recursive: true });
  await writeFile(join(t.context.folder, 'arriving'), 'no folder');
  const refusal = await t.throwsAsync(store.add(images(2, 3, 4, 5)), { instanceOf: Refusal });
  t.is(refusal?.reason, 'IMAGE_STORE_UNAVAILABLE');
  t.deepEqual(refusal?.metadata, { problem: 'ENOTDIR' });
  t.deepEqual(stored(store), [1]);
  t.is(store.bytes, 100);
  // A folder that was removed is made anew.
  await rm(join(t.context.folder, 'arriving'));
  t.is(await store.add(images(2)), 1);
});

test('a store of 0 bytes stores nothing and says why', async (t) => {
  const store = await open(t, 0);
  t.regex(store.problem, /--max-stored-bytes 0/);
  const refusal = await t.throwsAsync(store.add(images(1)), { instanceOf: Refusal });
  t.is(refusal?.reason, 'IMAGE_STORE_UNAVAILABLE');
});

test('without a limit, half of the disk may be taken', async (t) => {
  const store = await open(t, null);
  t.true(store.maximumBytes > 2 ** 20);
  t.is(await store.add(images(1)), 1);
});

const NEVER = new AbortController().signal;

test('pixels that a batch asks for are read once, then come from memory without a turn of the event loop', async (t) => {
  const store = await open(t, 1000, 250);
  const pixels = (seed: number): ArrivedImage => {
    const { data } = image(seed);
    return { name: nameOf(sha256(data).toString('hex'), 'uint8-10x10x1'), data };
  };
  // One by one: images that are stored together come to memory in the order in which their files are written.
  for (const seed of [1, 2, 3]) await store.add([pixels(seed)]);
  t.is(store.pixels.bytes, 200, 'two of the three fit');
  const place = async (...seeds: number[]) => {
    const placed: string[] = [];
    const referred = store.refer(seeds.map((seed) => pixels(seed).name));
    const form = pixelsAsStored((position, data) => {
      placed[position] = Buffer.from(data.read(0, data.byteLength)).toString();
    });
    const placing = placeReferredPixels(store, referred, form, NEVER);
    const atOnce = placed.filter((one) => one !== undefined).length;
    await placing;
    referred.release();
    t.deepEqual(
      placed,
      seeds.map((seed) => image(seed).data.toString()),
    );
    return atOnce;
  };
  t.is(await place(2, 3), 2);
  t.is(await place(1, 3), 1);
  t.is(await place(1, 3, 1), 3, 'image 2 was not used for longest and has made room');
  t.is(store.pixels.bytes, 200);
  t.is(store.pixels.misses, 1);
  store.deleteAll();
  t.is(store.pixels.bytes, 0);
});
