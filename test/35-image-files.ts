import { crc32 } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import sharp from 'sharp';
import { engineBinding } from '../native/index.js';
import type { Refusal } from '../server/errors/refusal.js';
import { decodeImages, type ImageShape, placesIn, stage } from '../server/images/decode.js';
import { decodeForeign } from '../server/images/foreign.js';

const WIDTH = 8;
const HEIGHT = 6;
const COLOUR: ImageShape = { width: WIDTH, height: HEIGHT, channels: 3 };
const GREY: ImageShape = { width: WIDTH, height: HEIGHT, channels: 1 };
const never = new AbortController().signal;

const rgb = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, index) => (index * 37) % 256);
const grey = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, index) => (index * 5) % 256);

function pixels(data: Uint8Array, channels: 1 | 2 | 3 | 4) {
  return sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels } });
}

async function decode(files: readonly Uint8Array[], shape: ImageShape): Promise<Uint8Array> {
  const imageBytes = shape.width * shape.height * shape.channels;
  const buffer = new (engineBinding().StagingBuffer)(imageBytes * files.length);
  const images = { files: stage(files), sizes: files.map((file) => file.byteLength), positions: null };
  await decodeImages(images, shape, placesIn(buffer, shape), null, never);
  return buffer.read(0, buffer.byteLength);
}

async function refusalOf(t: ExecutionContext, files: readonly Uint8Array[], shape: ImageShape): Promise<Refusal> {
  return t.throwsAsync<Refusal>(decode(files, shape));
}

/** Value by value, three times: what a grey file is in RGB. */
function repeated(data: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: data.length * 3 }, (_, index) => data[Math.floor(index / 3)] ?? 0);
}

for (const format of ['png', 'webp', 'tiff'] as const) {
  test(`a lossless ${format} file decodes to the pixels that went in`, async (t) => {
    const file = await pixels(rgb, 3)
      .toFormat(format, { lossless: true, compression: format === 'tiff' ? 'lzw' : undefined })
      .toBuffer();
    t.deepEqual(await decode([file], COLOUR), rgb);
  });
}

test('a GIF of few colours decodes to the pixels that went in', async (t) => {
  const twoColours = rgb.map((_, index) => (Math.floor(index / 3) % 2 === 0 ? 0 : 255));
  const file = await pixels(twoColours, 3).gif().toBuffer();
  t.deepEqual(await decode([file], COLOUR), twoColours);
});

test('a JPEG decodes close to the pixels that went in', async (t) => {
  const flat = new Uint8Array(WIDTH * HEIGHT * 3).fill(100);
  const decoded = await decode([await pixels(flat, 3).jpeg({ quality: 100 }).toBuffer()], COLOUR);
  t.true(decoded.every((value) => Math.abs(value - 100) <= 1));
});

test('several files, each at its own place', async (t) => {
  const second = rgb.toReversed();
  const files = await Promise.all([rgb, second, rgb].map((data) => pixels(data, 3).png().toBuffer()));
  t.deepEqual(await decode(files, COLOUR), Uint8Array.from([...rgb, ...second, ...rgb]));
});

test('a grey file becomes RGB by repetition', async (t) => {
  const file = await pixels(grey, 1).toColourspace('b-w').png().toBuffer();
  t.is((await sharp(file).metadata()).channels, 1);
  t.deepEqual(await decode([file], COLOUR), repeated(grey));
  t.deepEqual(await decode([file], GREY), grey);
});

test('an RGB file with equal channels becomes grey', async (t) => {
  const file = await pixels(repeated(grey), 3).png().toBuffer();
  t.is((await sharp(file).metadata()).channels, 3);
  t.deepEqual(await decode([file], GREY), grey);
});

test('an RGB file with colours does not become grey', async (t) => {
  const refusal = await refusalOf(t, [await pixels(rgb, 3).png().toBuffer()], GREY);
  t.is(refusal.reason, 'WRONG_IMAGE_CHANNELS');
  t.deepEqual(refusal.metadata, { image: '0', got: '3', wanted: '1' });
});

test('an opaque alpha channel is dropped, a transparent one refused', async (t) => {
  const opaque = await pixels(rgb, 3).ensureAlpha(1).png().toBuffer();
  t.deepEqual(await decode([opaque], COLOUR), rgb);
  const transparent = await pixels(rgb, 3).ensureAlpha(0.5).png().toBuffer();
  const refusal = await refusalOf(t, [opaque, transparent], COLOUR);
  t.is(refusal.reason, 'WRONG_IMAGE_CHANNELS');
  t.deepEqual(refusal.metadata, { image: '1', got: '4', wanted: '3' });
});

test('of 16 bits the upper 8 are taken', async (t) => {
  const wide = Uint16Array.from(rgb, (value, index) => value * 256 + ((index * 91) % 256));
  const image = sharp(wide, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
  const file = await image.toColourspace('rgb16').png().toBuffer();
  t.is((await sharp(file).metadata()).depth, 'ushort');
  t.deepEqual(await decode([file], COLOUR), rgb);
});

test('EXIF orientation is not applied', async (t) => {
  const file = await pixels(rgb, 3).withMetadata({ orientation: 6 }).png().toBuffer();
  t.deepEqual(await decode([file], COLOUR), rgb);
});

test('a CMYK file is refused', async (t) => {
  const refusal = await refusalOf(t, [await pixels(rgb, 3).toColourspace('cmyk').jpeg().toBuffer()], COLOUR);
  t.is(refusal.reason, 'WRONG_IMAGE_CHANNELS');
  t.is(refusal.metadata.got, '4');
});

test('another width or height is refused with the index of the image', async (t) => {
  const good = await pixels(rgb, 3).png().toBuffer();
  const wide = await pixels(rgb, 3).resize(9, HEIGHT, { fit: 'fill' }).png().toBuffer();
  const high = await pixels(rgb, 3).resize(WIDTH, 7, { fit: 'fill' }).jpeg().toBuffer();
  const byWidth = await refusalOf(t, [good, wide, high], COLOUR);
  t.is(byWidth.reason, 'WRONG_IMAGE_WIDTH');
  t.deepEqual(byWidth.metadata, { image: '1', got: '9', wanted: '8' });
  const byHeight = await refusalOf(t, [good, high, wide], COLOUR);
  t.is(byHeight.reason, 'WRONG_IMAGE_HEIGHT');
  t.deepEqual(byHeight.metadata, { image: '1', got: '7', wanted: '6' });
});

/** A PNG whose header promises so many pixels; none of them follows. */
async function promise(width: number, height: number): Promise<Uint8Array> {
  const file = Buffer.from(await pixels(rgb, 3).png().toBuffer());
  file.writeUInt32BE(width, 16);
  file.writeUInt32BE(height, 20);
  // The checksum of the header, which is type and content of the first chunk.
  file.writeUInt32BE(crc32(file.subarray(12, 29)), 29);
  return file;
}

test('a file that libvips takes for a JPEG and that does not begin like one is refused: it would get around the limits for JPEG', async (t) => {
  const file = Buffer.from(await pixels(rgb, 3).jpeg().toBuffer());
  const odd = Buffer.concat([file.subarray(0, 2), Buffer.of(0x00), file.subarray(2)]);
  t.is((await sharp(odd).metadata()).format, 'jpeg');
  const refusal = await refusalOf(t, [odd], COLOUR);
  t.is(refusal.reason, 'IMAGE_UNDECODABLE');
  t.regex(refusal.metadata.problem ?? '', /does not begin like a file of the format jpeg/);
});

test('a file beyond 256 MiB is refused before it is read', async (t) => {
  const read = (): Uint8Array => {
    throw new Error('it was read');
  };
  const file = { byteLength: 256 * 1024 * 1024 + 1, read };
  const refusal = await t.throwsAsync<Refusal>(decodeForeign(file, 3, null, async () => {}));
  t.is(refusal.reason, 'IMAGE_UNDECODABLE');
  t.deepEqual(refusal.metadata, { image: '3', problem: 'it has 268435457 bytes, the limit is 268435456' });
});

test('an image of very many pixels is refused by its header', async (t) => {
  const large = await refusalOf(t, [await promise(16_000, 16_000)], COLOUR);
  t.is(large.reason, 'WRONG_IMAGE_WIDTH');
  t.is(large.metadata.got, '16000');
  const larger = await refusalOf(t, [await promise(30_000, 40_000)], COLOUR);
  t.is(larger.reason, 'IMAGE_UNDECODABLE');
  t.regex(larger.metadata.problem ?? '', /pixel limit/);
});

const noise = () =>
  sharp({ create: { width: 64, height: 64, channels: 3, background: 'red', noise: { type: 'gaussian', mean: 128, sigma: 40 } } });
const NOISE_SHAPE: ImageShape = { width: 64, height: 64, channels: 3 };

for (const format of ['jpeg', 'png', 'webp'] as const) {
  test(`a ${format} file that is cut off is undecodable`, async (t) => {
    const whole = await noise().toFormat(format).toBuffer();
    await t.notThrowsAsync(decode([whole], NOISE_SHAPE));
    for (const part of [0.3, 0.6, 0.95]) {
      const refusal = await refusalOf(t, [whole, whole.subarray(0, Math.floor(whole.length * part))], NOISE_SHAPE);
      t.is(refusal.reason, 'IMAGE_UNDECODABLE');
      t.is(refusal.number, 5503);
      t.is(refusal.metadata.image, '1');
    }
  });
}

for (const [title, file] of [
  ['no bytes', Buffer.alloc(0)],
  ['text', Buffer.from('hello')],
  ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="6"/>')],
  ['PDF', Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj')],
] as const) {
  test(`a file of ${title} is undecodable`, async (t) => {
    const refusal = await refusalOf(t, [file], COLOUR);
    t.is(refusal.reason, 'IMAGE_UNDECODABLE');
    t.is(refusal.metadata.image, '0');
  });
}

test('an aborted signal ends the decoding', async (t) => {
  const controller = new AbortController();
  const reason = new Error('gone');
  controller.abort(reason);
  const file = await pixels(rgb, 3).png().toBuffer();
  const buffer = new (engineBinding().StagingBuffer)(rgb.length);
  buffer.write(0, new Uint8Array(rgb.length));
  const decoding = decodeImages(
    { files: stage([file]), sizes: [file.length], positions: null },
    COLOUR,
    placesIn(buffer, COLOUR),
    null,
    controller.signal,
  );
  t.is(await t.throwsAsync(decoding), reason);
  t.deepEqual(buffer.read(0, rgb.length), new Uint8Array(rgb.length), 'nothing may be written');
});
