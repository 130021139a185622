import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { type Image, type Images, ImageUndecodableError, loadImage, type PixelImage, WrongImageWidthError } from '../client/index.js';
import { readSmall, testWithDaemon } from './support/client.js';
import { noiseImages } from './support/noise.js';

const test = testWithDaemon();
const SIZE = { width: 16, height: 16, channels: 1 } as const;

/** A picture in which every pixel differs, as PNG: what is decoded must be these very values. */
function png({ data, shape: [height, width, channels] }: PixelImage): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: channels as 1 | 3 | 4 } })
    .png()
    .toBuffer();
}

function noise(height: number, width: number, channels: number, seed: number): PixelImage & { readonly data: Uint8Array } {
  return { data: noiseImages(1, [height, width, channels], seed).data, shape: [height, width, channels] };
}

test('pixels in one array, pixels one by one, floats, PNG bytes, paths and files sent as they are: all the same to the network', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dl-classifier-images-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await using classifier = await readSmall(t.context.client);
  const single = [1, 2, 3].map((seed) => noise(16, 16, 1, seed));
  const data = Buffer.concat(single.map((image) => image.data));
  const buffers = await Promise.all(single.map(png));
  const paths = await Promise.all(
    buffers.map(async (bytes, index) => {
      const path = join(folder, `${index}.png`);
      await writeFile(path, bytes);
      return path;
    }),
  );
  const floats = single.map(({ data, shape }) => ({ data: Float32Array.from(data, (grey) => grey - 127), shape }));
  const forms: Record<string, [Images, { files?: 'send' }?]> = {
    array: [{ data, shape: [3, 16, 16, 1] }],
    pixels: [single],
    floats: [floats],
    floatArray: [{ data: Float32Array.from(data, (grey) => grey - 127), shape: [3, 16, 16, 1] }],
    buffers: [buffers],
    paths: [paths],
    mixed: [[single[0], buffers[1], paths[2]] as Image[]],
    sentBuffers: [buffers, { files: 'send' }],
    sentPaths: [paths, { files: 'send' }],
  };
  const confidences = new Map<string, string>();
  for (const [name, [images, options]] of Object.entries(forms)) {
    await using result = await classifier.apply(images, options);
    confidences.set(name, JSON.stringify(await result.all()));
  }
  t.is(new Set(confidences.values()).size, 1, [...confidences].join('\n'));
});

test('a file is resized without keeping its aspect', async (t) => {
  // Left half black, right half white, much wider than high.
  const data = Uint8Array.from({ length: 64 * 8 }, (_, index) => (index % 64 < 32 ? 0 : 255));
  const image = await loadImage(await png({ data, shape: [8, 64, 1] }), SIZE);
  t.deepEqual(image.shape, [16, 16, 1]);
  for (let row = 0; row < 16; row++) {
    const pixels = [...image.data.subarray(row * 16, row * 16 + 16)];
    t.deepEqual(pixels.slice(0, 7), new Array(7).fill(0));
    t.deepEqual(pixels.slice(10), new Array(6).fill(255));
  }
});

test('a smaller picture of a bigger one sees all its pixels', async (t) => {
  // Single black columns between white ones: plain bilinear sampling at 1/4 would see only some of them.
  const data = Uint8Array.from({ length: 64 * 64 }, (_, index) => (index % 2 === 0 ? 0 : 255));
  const { data: pixels } = await loadImage(await png({ data, shape: [64, 64, 1] }), SIZE);
  t.true(
    pixels.every((value) => Math.abs(value - 127.5) < 8),
    [...pixels.slice(0, 16)].join(' '),
  );
});

test('grey becomes RGB, RGB becomes grey, alpha is dropped, 16 bits become 8', async (t) => {
  const grey = noise(16, 16, 1, 4);
  const asRgb = await loadImage(await png(grey), { ...SIZE, channels: 3 });
  t.deepEqual(
    [...asRgb.data],
    [...grey.data].flatMap((value) => [value, value, value]),
  );

  const rgb = { data: Uint8Array.from([...grey.data].flatMap((value) => [value, value, value])), shape: [16, 16, 3] as const };
  const asGrey = await loadImage(await png(rgb), SIZE);
  t.true(asGrey.data.every((value, index) => Math.abs(value - (grey.data[index] ?? 0)) <= 1));

  const rgba = { data: Uint8Array.from([...grey.data].flatMap((value) => [value, 7, 9, 255])), shape: [16, 16, 4] as const };
  const opaque = await loadImage(await png(rgba), { ...SIZE, channels: 3 });
  t.deepEqual(
    [...opaque.data],
    [...grey.data].flatMap((value) => [value, 7, 9]),
  );

  const deep = await sharp(
    Uint16Array.from(grey.data, (value) => value * 257),
    { raw: { width: 16, height: 16, channels: 1 } },
  )
    .toColourspace('grey16')
    .png()
    .toBuffer();
  t.deepEqual([...(await loadImage(deep, SIZE)).data], [...grey.data]);
});

test('a JPEG of a colour is that colour', async (t) => {
  const jpeg = await sharp({ create: { width: 40, height: 30, channels: 3, background: { r: 200, g: 100, b: 50 } } })
    .jpeg({ quality: 95 })
    .toBuffer();
  const { data } = await loadImage(jpeg, { ...SIZE, channels: 3 });
  t.true(data.every((value, index) => Math.abs(value - ([200, 100, 50][index % 3] ?? 0)) <= 3));
});

test('contrast is stretched to 0..255 by one rule for all channels, if that is asked for', async (t) => {
  const data = Uint8Array.from({ length: 16 * 16 * 3 }, (_, index) => [50, 75, 100][index % 3] ?? 0);
  const bytes = await png({ data, shape: [16, 16, 3] });
  const stretched = await loadImage(bytes, { ...SIZE, channels: 3 }, { normalizeContrast: true });
  t.deepEqual([...stretched.data.slice(0, 3)], [0, 128, 255]);
  t.deepEqual([...(await loadImage(bytes, { ...SIZE, channels: 3 })).data.slice(0, 3)], [50, 75, 100]);
  const uniform = await png({ data: new Uint8Array(256).fill(9), shape: [16, 16, 1] });
  t.is((await loadImage(uniform, SIZE, { normalizeContrast: true })).data[0], 9);
});

test('what cannot be decoded is named by its position, here as on the server', async (t) => {
  await using classifier = await readSmall(t.context.client);
  const good = await png(noise(16, 16, 1, 5));
  const whole = await png(noise(64, 64, 1, 6));
  for (const bad of [Buffer.from('no image'), whole.subarray(0, 100), '/nowhere/cat.png']) {
    const error = await t.throwsAsync(classifier.apply([good, bad]), { instanceOf: ImageUndecodableError });
    t.like(error, { number: 5503, reason: 'IMAGE_UNDECODABLE' });
    t.is(error?.metadata.image, '1');
  }
  const sent = await t.throwsAsync(classifier.apply([good, Buffer.from('no image')], { files: 'send' }), {
    instanceOf: ImageUndecodableError,
  });
  t.is(sent?.metadata.image, '1');
  for (const options of [{ files: 'send' }, { files: 'send', references: 'always' }] as const) {
    const absent = await t.throwsAsync(classifier.apply([good, '/nowhere/cat.png'], options), { instanceOf: ImageUndecodableError });
    t.is(absent?.metadata.image, '1');
    t.regex(absent?.message ?? '', /image 1 \(\/nowhere\/cat\.png\).*ENOENT/);
  }
});

test('files that are sent as they are must have the size already', async (t) => {
  await using classifier = await readSmall(t.context.client);
  const error = await t.throwsAsync(classifier.apply([await png(noise(16, 20, 1, 7))], { files: 'send' }), {
    instanceOf: WrongImageWidthError,
  });
  t.is(error?.metadata.got, '20');
});

test('a list that is not of one kind, or an array that has not its shape, is refused before anything is sent', async (t) => {
  await using classifier = await readSmall(t.context.client);
  const pixels = noise(16, 16, 1, 8);
  const floats = { data: new Float32Array(256), shape: [16, 16, 1] } as const;
  const file = await png(pixels);
  await t.throwsAsync(classifier.apply([pixels, floats]), { instanceOf: TypeError, message: /image 1 and image 0/ });
  await t.throwsAsync(classifier.apply([file, floats]), { instanceOf: TypeError });
  await t.throwsAsync(classifier.apply([pixels, noise(16, 17, 1, 9)]), { instanceOf: RangeError, message: /image 1 is \(16, 17, 1\)/ });
  await t.throwsAsync(classifier.apply([pixels, { ...pixels, shape: [16, 15, 1] }]), {
    instanceOf: RangeError,
    message: /image 1: 256 values/,
  });
  await t.throwsAsync(classifier.apply({ data: pixels.data, shape: [2, 16, 16, 1] }), {
    instanceOf: RangeError,
    message: /images: 256 values/,
  });
  await t.throwsAsync(classifier.apply([pixels], { files: 'send' }), { instanceOf: TypeError });
  await t.throwsAsync(classifier.apply([file], { files: 'send', normalizeContrast: true }), { instanceOf: TypeError });
});
