import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import sharp from 'sharp';
import {
  mirrorColumns,
  Random,
  readIdx,
  readIdxImages,
  readImageFolder,
  readImageSheets,
  selectImages,
  shuffledBatches,
} from '../client/index.js';

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dl-classifier-data-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

async function write(folder: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

/** An IDX file of unsigned bytes. */
function idx(shape: readonly number[], data: readonly number[], type = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, type, shape.length]);
  for (const [axis, extent] of shape.entries()) header.writeUInt32BE(extent, 4 + 4 * axis);
  return Buffer.concat([header, Uint8Array.from(data)]);
}

test('a folder of images: the class is the last folder, at any depth', async (t) => {
  const root = await temporaryFolder(t);
  await write(root, {
    'pears/b.PNG': '',
    'pears/a.jpeg': '',
    'apples/1.jpg': '',
    'summer/apples/2.tif': '',
    'apples/notes.txt': '',
    'apples/.hidden.jpg': '',
    '.cache/apples/3.jpg': '',
  });
  const { classes, samples } = await readImageFolder(root);
  t.deepEqual(classes, ['apples', 'pears']);
  t.deepEqual(samples, [
    { image: join(root, 'apples/1.jpg'), label: 'apples' },
    { image: join(root, 'pears/a.jpeg'), label: 'pears' },
    { image: join(root, 'pears/b.PNG'), label: 'pears' },
    { image: join(root, 'summer/apples/2.tif'), label: 'apples' },
  ]);
  t.deepEqual(await readImageFolder(`${root}/`), await readImageFolder(join(root, 'pears', '..')));
});

test('a folder of images is the same however its path is written', async (t) => {
  const root = await temporaryFolder(t);
  await write(root, { '1.5mm/a.png': '', 'cat/b.png': '', '.ipynb_checkpoints/c.png': '' });
  const here = relative(process.cwd(), root);
  for (const written of [root, `${root}/`, here, `./${here}`, `.//${here}/.`, join(root, 'cat', '..'), `${root}/cat/..`]) {
    t.deepEqual((await readImageFolder(written)).classes, ['1.5mm', 'cat'], written);
  }
});

test('a folder without images, or with an image that has no class, is refused', async (t) => {
  const root = await temporaryFolder(t);
  await t.throwsAsync(readImageFolder(root), { message: /holds no images/ });
  await write(root, { 'a/1.png': '', '2.png': '' });
  await t.throwsAsync(readImageFolder(root), { message: /2\.png has no class/ });
  await t.throwsAsync(readImageFolder(join(root, 'nowhere')), { code: 'ENOENT' });
});

test('IDX files are read, packed or not', async (t) => {
  const root = await temporaryFolder(t);
  const file = idx([2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);
  await write(root, { plain: file, packed: gzipSync(file), labels: idx([2], [3, 0]) });
  const plain = await readIdx(join(root, 'plain'));
  t.deepEqual(plain.shape, [2, 2, 3]);
  t.deepEqual([...plain.data], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);
  t.deepEqual([...(await readIdx(join(root, 'packed'))).data], [...plain.data]);

  const set = await readIdxImages(join(root, 'packed'), join(root, 'labels'));
  t.deepEqual(set.images.shape, [2, 2, 3, 1]);
  t.deepEqual([...set.labels], [3, 0]);
  const chosen = selectImages(set, [1, 1, 0]);
  t.deepEqual(chosen.images.shape, [3, 2, 3, 1]);
  t.deepEqual([...chosen.images.data.subarray(0, 12)], [7, 8, 9, 10, 11, 255, 7, 8, 9, 10, 11, 255]);
  t.deepEqual([...chosen.labels], [0, 0, 3]);
  t.throws(() => selectImages(set, [2]), { instanceOf: RangeError });
});

const DAMAGED: Readonly<Record<string, [Uint8Array, RegExp]>> = {
  'no IDX file': [Buffer.from('PNG and so on'), /no IDX file/],
  'a file of floats': [idx([1], [0], 0x0d), /values of type 13/],
  'a header cut off': [idx([3, 4, 5], []).subarray(0, 9), /within its header/],
  'values cut off': [idx([3], [1, 2]), /holds 2 values, its header says 3/],
  'too many values': [idx([1], [1, 2]), /holds 2 values, its header says 1/],
  'an empty file': [new Uint8Array(0), /no IDX file/],
};

for (const [name, [bytes, message]] of Object.entries(DAMAGED)) {
  test(`${name} is refused, by its name`, async (t) => {
    const root = await temporaryFolder(t);
    await write(root, { damaged: bytes });
    const error = await t.throwsAsync(readIdx(join(root, 'damaged')), { message });
    t.true(error?.message.includes(join(root, 'damaged')));
  });
}

test('images and labels that do not belong together are refused', async (t) => {
  const root = await temporaryFolder(t);
  await write(root, { images: idx([2, 1, 1], [1, 2]), labels: idx([3], [1, 2, 3]), flat: idx([2], [1, 2]) });
  await t.throwsAsync(readIdxImages(join(root, 'images'), join(root, 'labels')), { message: /there are 2 images/ });
  await t.throwsAsync(readIdxImages(join(root, 'flat'), join(root, 'labels')), { message: /\(count, height, width\)/ });
});

test('sheets with one image a row are read in order', async (t) => {
  const root = await temporaryFolder(t);
  // 3 images of 2 x 2 on two sheets: image i is of the colour (i, i + 10, i + 20).
  const sheet = (images: readonly number[]): Promise<Buffer> => {
    const data = Uint8Array.from(images.flatMap((image) => Array.from({ length: 4 }, () => [image, image + 10, image + 20]).flat()));
    return sharp(data, { raw: { width: 4, height: images.length, channels: 3 } })
      .png()
      .toBuffer();
  };
  await write(root, {
    '1.png': await sheet([1, 2]),
    '2.png': await sheet([3]),
    'labels.json': '[7, 0, 255]',
    'two.json': '[1, 2]',
    'bad.json': '[1, 2, "x"]',
  });
  const sheets = [join(root, '1.png'), join(root, '2.png')];
  const size = { width: 2, height: 2 };
  const set = await readImageSheets(sheets, join(root, 'labels.json'), size);
  t.deepEqual(set.images.shape, [3, 2, 2, 3]);
  t.deepEqual([...set.labels], [7, 0, 255]);
  t.deepEqual([...selectImages(set, [2]).images.data.subarray(0, 6)], [3, 13, 23, 3, 13, 23]);
  await t.throwsAsync(readImageSheets(sheets, join(root, 'two.json'), size), { message: /2 labels, there are 3 images/ });
  await t.throwsAsync(readImageSheets(sheets, join(root, 'bad.json'), size), { message: /no JSON array of positions/ });
  await t.throwsAsync(readImageSheets(sheets, join(root, 'labels.json'), { width: 3, height: 2 }), { message: /rows of 4 pixels/ });
});

test('an epoch has each sample at most once, in another order each time, without the remainder', (t) => {
  const samples = Array.from({ length: 23 }, (_, index) => index);
  const epochs = [0, 1, 2].map((epoch) => [...shuffledBatches(samples, 5, { seed: 3, epoch })]);
  for (const batches of epochs) {
    t.deepEqual(
      batches.map((batch) => batch.length),
      [5, 5, 5, 5],
    );
    t.is(new Set(batches.flat()).size, 20);
  }
  t.is(new Set(epochs.map(String)).size, 3);
  t.deepEqual([...shuffledBatches(samples, 5, { seed: 3, epoch: 1 })], epochs[1], 'the same seed, the same order');
  t.notDeepEqual([...shuffledBatches(samples, 5, { seed: 4, epoch: 1 })], epochs[1]);
  t.deepEqual(
    samples,
    [...samples].sort((a, b) => a - b),
    'the samples are left alone',
  );
  t.deepEqual([...shuffledBatches(samples, 24, { seed: 3, epoch: 0 })], []);
  t.throws(() => [...shuffledBatches(samples, 0, { seed: 3, epoch: 0 })], { instanceOf: RangeError });
});

test('random numbers are even enough, and the same for the same seed', (t) => {
  const counts = new Array<number>(10).fill(0);
  const random = new Random(11);
  for (let draw = 0; draw < 100_000; draw++) {
    const digit = random.below(10);
    counts[digit] = (counts[digit] ?? 0) + 1;
  }
  // Chi squared of 9 degrees of freedom: 33.7 is exceeded once in 10,000 seeds.
  const chiSquared = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
  t.true(chiSquared < 33.7, String(chiSquared));
  const draws = (seed: number) =>
    Array.from(
      { length: 5 },
      (
        (generator) => () =>
          generator.bits()
      )(new Random(seed)),
    );
  t.deepEqual(draws(1), draws(1));
  t.is(new Set([0, 1, 2, -1].flatMap(draws)).size, 20);
  t.throws(() => new Random(0.5), { instanceOf: RangeError });
});

test('mirroring turns the chosen images left to right, pixel by pixel', (t) => {
  // 2 images of 1 x 3 pixels of 2 channels.
  const images = { data: Uint8Array.from([1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60]), shape: [2, 1, 3, 2] as const };
  mirrorColumns(images, (image) => image === 1);
  t.deepEqual([...images.data], [1, 2, 3, 4, 5, 6, 50, 60, 30, 40, 10, 20]);
  mirrorColumns(images, () => true);
  t.deepEqual([...images.data], [5, 6, 3, 4, 1, 2, 10, 20, 30, 40, 50, 60]);
});
