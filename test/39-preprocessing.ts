import { execFileSync } from 'node:child_process';
import test from 'ava';
import sharp from 'sharp';
import { engineBinding } from '../native/index.js';
import { decodeImages, type ImageShape, type Preprocessing, placesIn, stage } from '../server/images/decode.js';
import { noiseImages } from './support/noise.js';

const never = new AbortController().signal;
const PLAIN: Preprocessing = { normalizeContrast: false, domains: [] };

async function preprocess(files: readonly Uint8Array[], shape: ImageShape, preprocessing: Preprocessing = PLAIN): Promise<Uint8Array> {
  const buffer = new (engineBinding().StagingBuffer)(files.length * shape.width * shape.height * shape.channels);
  await decodeImages(
    { files: stage(files), sizes: files.map((file) => file.byteLength), positions: null },
    shape,
    placesIn(buffer, shape),
    preprocessing,
    never,
  );
  return buffer.read(0, buffer.byteLength);
}

interface Picture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** The formula of docs/preprocessing.md in whole numbers, all of them below 2^53 here: nothing is rounded but the result. */
function resized({ data, width, height, channels }: Picture, wanted: { width: number; height: number }): Uint8Array {
  const weight = (i: number, j: number, n: number, m: number) =>
    Math.max(0, 2 * Math.max(n, m) - Math.abs((2 * j + 1) * m - (2 * i + 1) * n));
  const result: number[] = [];
  for (let y = 0; y < wanted.height; y++) {
    for (let x = 0; x < wanted.width; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        let total = 0;
        for (let j = 0; j < height; j++) {
          const row = weight(y, j, height, wanted.height);
          if (row === 0) continue;
          for (let i = 0; i < width; i++) {
            const both = row * weight(x, i, width, wanted.width);
            sum += both * (data[(j * width + i) * channels + c] ?? 0);
            total += both;
          }
        }
        if (2 * sum + total > Number.MAX_SAFE_INTEGER) throw new Error('the sums are too large');
        result.push(Math.floor((2 * sum + total) / (2 * total)));
      }
    }
  }
  return Uint8Array.from(result);
}

/** A binary PGM or PPM, as libjpeg-turbo's own program writes it. */
function parsePnm(file: Buffer): Picture {
  const [, kind, width, height, header] =
    /^P([56])\s+(\d+)\s+(\d+)\s+255\s/.exec(file.subarray(0, 40).toString('latin1'))?.concat('') ?? [];
  const channels = kind === '5' ? 1 : 3;
  const pixels = Number(width) * Number(height) * channels;
  if (header === undefined || !(pixels > 0)) throw new Error('no PNM file');
  return { data: file.subarray(file.length - pixels), width: Number(width), height: Number(height), channels };
}

function djpeg(file: Uint8Array, ...options: string[]): Picture {
  return parsePnm(execFileSync('djpeg', ['-pnm', ...options], { input: file }));
}

const PHOTO = { width: 150, height: 100 };

/** Soft enough that JPEG does not turn it into other noise. */
function photograph() {
  const { data } = noiseImages(1, [13, 19, 3], 3);
  return sharp(data, { raw: { width: 19, height: 13, channels: 3 } }).resize({ ...PHOTO, fit: 'fill', kernel: 'cubic' });
}

for (const [title, options] of [
  ['baseline', {}],
  ['progressive', { progressive: true }],
  ['without subsampled chroma', { chromaSubsampling: '4:4:4' }],
] as const) {
  test(`JPEG, ${title}: what libjpeg-turbo's djpeg makes of it at the same scale, resized by the formula`, async (t) => {
    const file = await photograph().jpeg(options).toBuffer();
    for (const [width, height, scale] of [
      [18, 12, 1],
      [20, 13, 2],
      [37, 25, 2],
      [40, 30, 3],
      [75, 50, 4],
      [100, 80, 7],
      [150, 100, 8],
      [170, 40, 8],
    ] as const) {
      const expected = resized(djpeg(file, '-scale', `${scale}/8`), { width, height });
      t.deepEqual(await preprocess([file], { width, height, channels: 3 }), expected, `${width} x ${height}`);
      const grey = resized(djpeg(file, '-scale', `${scale}/8`, '-grayscale'), { width, height });
      t.deepEqual(await preprocess([file], { width, height, channels: 1 }), grey, `${width} x ${height}, grey`);
    }
  });
}

for (const format of ['png', 'webp', 'tiff'] as const) {
  test(`${format}: resized by the formula, in colour and grey, whole and by its domain`, async (t) => {
    const { data } = noiseImages(1, [30, 40, 3], 4);
    const image = { data, width: 40, height: 30, channels: 3 };
    const file = await sharp(data, { raw: { width: 40, height: 30, channels: 3 } })
      .toFormat(format, { lossless: true, compression: format === 'tiff' ? 'lzw' : undefined })
      .toBuffer();
    const size = { width: 17, height: 23 };
    t.deepEqual(await preprocess([file], { ...size, channels: 3 }), resized(image, size));
    const grey = Uint8Array.from({ length: 40 * 30 }, (_, i) => {
      const [red = 0, green = 0, blue = 0] = data.subarray(3 * i, 3 * i + 3);
      return Math.floor((299 * red + 587 * green + 114 * blue + 500) / 1000);
    });
    t.deepEqual(await preprocess([file], { ...size, channels: 1 }), resized({ ...image, data: grey, channels: 1 }, size));
    const rows = Array.from({ length: 12 }, (_, row) => [...data.subarray(((row + 5) * 40 + 8) * 3, ((row + 5) * 40 + 8 + 20) * 3)]);
    const part = { data: Uint8Array.from(rows.flat()), width: 20, height: 12, channels: 3 };
    const domains = [{ row: 5, column: 8, height: 12, width: 20 }];
    t.deepEqual(await preprocess([file], { ...size, channels: 3 }, { ...PLAIN, domains }), resized(part, size));
  });
}

test('contrast is stretched after the image is resized, all channels by one rule', async (t) => {
  const data = noiseImages(1, [30, 40, 3], 5).data.map((value) => 60 + (value >> 2));
  const file = await sharp(data, { raw: { width: 40, height: 30, channels: 3 } })
    .png()
    .toBuffer();
  const size = { width: 10, height: 9 };
  const plain = resized({ data, width: 40, height: 30, channels: 3 }, size);
  const minimum = Math.min(...plain);
  const range = Math.max(...plain) - minimum;
  const expected = plain.map((value) => Math.round(((value - minimum) * 255) / range));
  t.deepEqual(await preprocess([file], { ...size, channels: 3 }, { ...PLAIN, normalizeContrast: true }), expected);
});

test('some images by their domain, others whole, each at its place', async (t) => {
  const { data } = noiseImages(1, [16, 16, 1], 6);
  const file = await sharp(data, { raw: { width: 16, height: 16, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
  const domains = [null, { row: 4, column: 4, height: 1, width: 1 }, null];
  const result = await preprocess([file, file, file], { width: 16, height: 16, channels: 1 }, { ...PLAIN, domains });
  t.deepEqual(result.subarray(0, 256), data);
  t.deepEqual(result.subarray(256, 512), new Uint8Array(256).fill(data[4 * 16 + 4] ?? 0));
  t.deepEqual(result.subarray(512), data);
});

test('alpha is dropped, CMYK becomes RGB, EXIF orientation is not applied', async (t) => {
  const { data } = noiseImages(1, [6, 8, 3], 7);
  const rgb = sharp(data, { raw: { width: 8, height: 6, channels: 3 } });
  const shape = { width: 8, height: 6, channels: 3 } as const;
  for (const format of ['png', 'webp', 'tiff'] as const) {
    const lossless = { lossless: true, compression: format === 'tiff' ? 'lzw' : undefined, exact: true };
    const transparent = await rgb.clone().ensureAlpha(0.5).toFormat(format, lossless).toBuffer();
    t.deepEqual(await preprocess([transparent], shape), data, format);
  }
  const inks = await rgb.clone().toColourspace('cmyk').jpeg().toBuffer();
  t.is((await preprocess([inks], shape)).length, data.length);
  const turned = await rgb.clone().withMetadata({ orientation: 6 }).png().toBuffer();
  t.deepEqual(await preprocess([turned], shape), data);
});

test('an aborted signal ends images that are in work', async (t) => {
  const { data } = noiseImages(1, [8, 8, 3], 8);
  const large = await sharp(data, { raw: { width: 8, height: 8, channels: 3 } })
    .resize({ width: 2500, height: 2500, fit: 'fill' })
    .png({ compressionLevel: 0 })
    .toBuffer();
  const files = new Array<Uint8Array>(40).fill(large);
  const controller = new AbortController();
  const buffer = new (engineBinding().StagingBuffer)(files.length * 48);
  const images = { files: stage(files), sizes: files.map((file) => file.byteLength), positions: null };
  const decoding = decodeImages(
    images,
    { width: 4, height: 4, channels: 3 },
    placesIn(buffer, { width: 4, height: 4, channels: 3 }),
    PLAIN,
    controller.signal,
  );
  const reason = new Error('gone');
  setImmediate(() => controller.abort(reason));
  t.is(await t.throwsAsync(decoding), reason);
});
