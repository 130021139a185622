import test from 'ava';
import sharp, { type Sharp } from 'sharp';
import { type ImageSize, loadImage } from '../client/index.js';
import { engineBinding } from '../native/index.js';
import { decodeImages, placesIn, stage } from '../server/images/decode.js';
import { noiseImages } from './support/noise.js';

/** The library decodes files itself unless it is told otherwise; whoever trains one way and classifies the other must not notice. */

const PHOTO = { width: 160, height: 120 };

/** Noise that is soft enough for JPEG. */
function photograph(seed: number): Sharp {
  const { data } = noiseImages(1, [12, 16, 3], seed);
  return sharp(data, { raw: { width: 16, height: 12, channels: 3 } }).resize({ ...PHOTO, fit: 'fill', kernel: 'cubic' });
}

/** What the server makes of a file that it preprocesses, which other tests compare with formulas and djpeg. */
async function onTheServer(file: Uint8Array, size: ImageSize): Promise<Uint8Array> {
  const buffer = new (engineBinding().StagingBuffer)(size.width * size.height * size.channels);
  const images = { files: stage([file]), sizes: [file.byteLength], positions: null };
  await decodeImages(images, size, placesIn(buffer, size), { normalizeContrast: false, domains: [] }, new AbortController().signal);
  return buffer.read(0, buffer.byteLength);
}

async function here(file: Uint8Array, size: ImageSize): Promise<Uint8Array> {
  const { data, shape } = await loadImage(file, size);
  if (!(data instanceof Uint8Array) || shape.join() !== [size.height, size.width, size.channels].join()) throw new Error('another size');
  return data;
}

function differences(a: Uint8Array, b: Uint8Array) {
  const each = a.map((value, index) => Math.abs(value - (b[index] ?? 0)));
  const sum = each.reduce((total, value) => total + value, 0);
  return { largest: each.reduce((maximum, value) => Math.max(maximum, value), 0), mean: sum / each.length };
}

/** Of every pixel the opacity is another; the left half is not to be seen at all. */
async function transparent(): Promise<Buffer> {
  const pixels = await photograph(2).ensureAlpha().raw().toBuffer();
  for (let pixel = 0; pixel < pixels.length / 4; pixel++) pixels[4 * pixel + 3] = pixel % 160 < 80 ? 0 : (pixel * 7) % 256;
  return await sharp(pixels, { raw: { ...PHOTO, channels: 4 } })
    .png()
    .toBuffer();
}

async function sixteenBits(): Promise<Buffer> {
  const values = Uint16Array.from(await photograph(3).raw().toBuffer(), (value, index) => value * 256 + ((index * 91) % 256));
  return await sharp(values, { raw: { ...PHOTO, channels: 3 } })
    .toColourspace('rgb16')
    .png()
    .toBuffer();
}

const FILES: readonly (readonly [what: string, file: () => Promise<Buffer>])[] = [
  ['PNG', () => photograph(1).png().toBuffer()],
  ['WebP', () => photograph(1).webp({ lossless: true }).toBuffer()],
  ['TIFF', () => photograph(1).tiff({ compression: 'lzw' }).toBuffer()],
  ['GIF', () => photograph(1).gif().toBuffer()],
  ['JPEG', () => photograph(1).jpeg().toBuffer()],
  ['grey', () => photograph(1).toColourspace('b-w').png().toBuffer()],
  ['of CMYK', () => photograph(1).toColourspace('cmyk').jpeg().toBuffer()],
  ['with a palette', () => photograph(1).png({ palette: true, colours: 32 }).toBuffer()],
  ['with transparency', transparent],
  ['of 16 bits', sixteenBits],
  ['with a colour profile', () => photograph(1).withIccProfile('p3').png().toBuffer()],
  ['with an orientation', () => photograph(1).withMetadata({ orientation: 6 }).jpeg().toBuffer()],
];

for (const [what, makeFile] of FILES) {
  test(`a file ${what} that keeps its size or grows is decoded as on the server`, async (t) => {
    const file = await makeFile();
    for (const [width, height] of [
      [160, 120],
      [161, 120],
      [200, 333],
    ] as const) {
      const colour = differences(await here(file, { width, height, channels: 3 }), await onTheServer(file, { width, height, channels: 3 }));
      t.is(colour.largest, 0, `${width} x ${height}`);
      // The server takes a JPEG's own luma, which is that of its colours but for what was rounded and cut off at 0 and 255.
      const grey = differences(await here(file, { width, height, channels: 1 }), await onTheServer(file, { width, height, channels: 1 }));
      t.true(what === 'JPEG' || what === 'with an orientation' ? grey.mean < 0.1 : grey.largest === 0, `grey: ${JSON.stringify(grey)}`);
    }
  });

  test(`a file ${what} that shrinks is the server's to a few grey values`, async (t) => {
    const file = await makeFile();
    for (const [width, height] of [
      [80, 60],
      [37, 25],
      [15, 200],
    ] as const) {
      for (const channels of [1, 3] as const) {
        const { largest, mean } = differences(
          await here(file, { width, height, channels }),
          await onTheServer(file, { width, height, channels }),
        );
        t.log(`${width} x ${height} x ${channels}: at most ${largest}, ${mean.toFixed(2)} at the mean`);
        // A product of two inks is not what becomes of the resized inks.
        t.true(mean < (what === 'of CMYK' ? 6 : 2.5), `${width} x ${height} x ${channels}: ${mean}`);
      }
    }
  });
}
