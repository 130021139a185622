/** Files of a few kilobytes may hold many pixels: those of WebP, TIFF and GIF exist only while they are in work. */
import test from 'ava';
import sharp from 'sharp';
import { engineBinding, type StagingBuffer } from '../native/index.js';
import { decodeImages, placesIn, stage } from '../server/images/decode.js';
import { DECODED_AT_ONCE } from '../server/images/foreign.js';

const never = new AbortController().signal;
const SHAPE = { width: 16, height: 16, channels: 3 } as const;
const SIDE = 1200;
const PIXEL_BYTES = SIDE * SIDE * 3;

/** Bytes of the staging buffers of whole images that are open now, and the most that were. */
const open = { bytes: 0, most: 0 };

/** Stands for the engine's own from now on: all that this process stages is counted. */
const binding = engineBinding() as { StagingBuffer: new (byteLength: number) => StagingBuffer };
const Original = binding.StagingBuffer;
binding.StagingBuffer = class extends Original {
  #open: number;

  constructor(byteLength: number) {
    super(byteLength);
    this.#open = byteLength === PIXEL_BYTES ? byteLength : 0;
    open.bytes += this.#open;
    open.most = Math.max(open.most, open.bytes);
  }

  override close(): void {
    open.bytes -= this.#open;
    this.#open = 0;
    super.close();
  }
};

async function files(count: number): Promise<Uint8Array[]> {
  const picture = sharp({ create: { width: SIDE, height: SIDE, channels: 3, background: '#305070' } });
  return new Array<Uint8Array>(count).fill(await picture.webp().toBuffer());
}

async function decode(images: readonly Uint8Array[]): Promise<Uint8Array> {
  const target = new Original(images.length * SHAPE.width * SHAPE.height * SHAPE.channels);
  const source = { files: stage(images), sizes: images.map(({ byteLength }) => byteLength), positions: null };
  await decodeImages(source, SHAPE, placesIn(target, SHAPE), { normalizeContrast: false, domains: [] }, never);
  return target.read(0, target.byteLength);
}

test.serial('of many files of a call few are decoded at a time, and none stays', async (t) => {
  open.most = 0;
  const pixels = await decode(await files(40));
  t.true(pixels.every((value) => value > 0x20 && value < 0x80));
  t.true(open.most >= PIXEL_BYTES);
  t.true(open.most <= DECODED_AT_ONCE * PIXEL_BYTES, `${open.most / PIXEL_BYTES} images`);
  t.is(open.bytes, 0);
});

test.serial('of many calls together no more are', async (t) => {
  open.most = 0;
  const images = await files(8);
  await Promise.all(Array.from({ length: 6 }, () => decode(images)));
  t.true(open.most <= DECODED_AT_ONCE * PIXEL_BYTES, `${open.most / PIXEL_BYTES} images`);
  t.is(open.bytes, 0);
});

test.serial('a file that is refused keeps none of the others in memory', async (t) => {
  const damaged = (await files(1))[0]?.slice(0, 300) ?? new Uint8Array();
  await t.throwsAsync(decode([...(await files(10)), damaged, ...(await files(10))]), { message: /image 10/ });
  t.is(open.bytes, 0);
});
