import test from 'ava';
import sharp from 'sharp';
import { engineBinding, type ImageRequest, type ImageWorkers, type StagingBuffer } from '../native/index.js';
import { refusal, refusalReason } from './support/engine.js';
import { noiseImages } from './support/noise.js';

const binding = engineBinding();

function makeWorkers(threads = 2, queueLength = 64): ImageWorkers {
  return new binding.ImageWorkers({ threads, queueLength });
}

function staged(bytes: Uint8Array): StagingBuffer {
  const buffer = new binding.StagingBuffer(bytes.byteLength);
  buffer.write(0, bytes);
  return buffer;
}

function request(source: Uint8Array, target: StagingBuffer, changes: Partial<ImageRequest> = {}): ImageRequest {
  return {
    source: staged(source),
    sourceOffset: 0,
    sourceBytes: source.byteLength,
    pixels: null,
    target,
    targetOffset: 0,
    width: 16,
    height: 16,
    channels: 3,
    exact: false,
    domain: null,
    normalizeContrast: false,
    augmentation: null,
    index: 0,
    group: 0,
    ...changes,
  };
}

const AUGMENTATION = {
  seed: 7n,
  counter: 3n,
  percentage: 80,
  all: true,
  mirror: 'rc',
  rotateStep: null,
  rotateRange: 30,
  cropPercentage: 70,
  cropPixels: null,
  brightnessVariation: 20,
  brightnessVariationSpot: 40,
} as const;

const noise = (side: number, seed = 1) => noiseImages(1, [side, side, 3], seed).data;
const png = (side: number, seed = 1) =>
  sharp(noise(side, seed), { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
const BYTES = 16 * 16 * 3;

/** An image that takes tens of milliseconds. */
const SLOW = { width: 8000, height: 8000, channels: 1 };
const slowPixels = new binding.StagingBuffer(SLOW.width * SLOW.height);
const slowRequest = (target: StagingBuffer, changes: Partial<ImageRequest> = {}): ImageRequest => ({
  ...request(Uint8Array.of(0), target, changes),
  source: slowPixels,
  sourceBytes: slowPixels.byteLength,
  pixels: SLOW,
});

test('a PNG comes to its place in the target, and nothing else is written', async (t) => {
  const workers = makeWorkers();
  const target = new binding.StagingBuffer(3 * BYTES);
  target.write(0, new Uint8Array(3 * BYTES));
  await workers.prepare(request(await png(16), target, { targetOffset: BYTES, exact: true }));
  t.deepEqual(target.read(BYTES, BYTES), noise(16));
  t.deepEqual(target.read(0, BYTES), new Uint8Array(BYTES));
  t.deepEqual(target.read(2 * BYTES, BYTES), new Uint8Array(BYTES));
  await workers.close();
});

test('the same seed gives the same pixels whatever the number of threads', async (t) => {
  const count = 24;
  const files = await Promise.all(Array.from({ length: count }, (_, index) => png(40, index)));
  const results: Uint8Array[] = [];
  for (const threads of [1, 2, 7]) {
    const workers = makeWorkers(threads);
    const target = new binding.StagingBuffer(count * BYTES);
    const prepare = (file: Buffer, index: number) =>
      workers.prepare(request(file, target, { targetOffset: index * BYTES, augmentation: AUGMENTATION, index }));
    await Promise.all(files.map(prepare));
    results.push(target.read(0, count * BYTES));
    await workers.close();
  }
  t.deepEqual(results[1], results[0]);
  t.deepEqual(results[2], results[0]);
  t.true(
    new Set(Array.from({ length: count }, (_, index) => results[0]?.subarray(index * BYTES, (index + 1) * BYTES).toString())).size ===
      count,
  );
});

test('beyond its queue an image is refused, and those that wait are not', async (t) => {
  const workers = makeWorkers(1, 2);
  const target = new binding.StagingBuffer(BYTES);
  const admitted = [1, 2, 3].map(() => workers.prepare(slowRequest(target)));
  t.is(await refusalReason(() => workers.prepare(slowRequest(target))), 'QUEUE_FULL');
  await Promise.all(admitted);
  await workers.prepare(slowRequest(target));
  await workers.close();
});

test('cancelled images are refused, those of another group are not', async (t) => {
  const workers = makeWorkers(1, 16);
  const target = new binding.StagingBuffer(BYTES);
  const mine = Array.from({ length: 6 }, () => workers.prepare(slowRequest(target, { group: 1 })));
  const other = workers.prepare(slowRequest(target, { group: 2 }));
  const settled = Promise.allSettled(mine);
  workers.cancel(1);
  await t.notThrowsAsync(other);
  await settled;
  // The first runs when they are cancelled, and ends early; the last has never begun.
  t.is(await refusalReason(() => mine[0]), 'CANCELLED');
  t.is(await refusalReason(() => mine[5]), 'CANCELLED');
  await workers.close();
});

test('close finishes what runs, refuses what waits and what comes later', async (t) => {
  const workers = makeWorkers(1);
  const target = new binding.StagingBuffer(BYTES);
  const all = Array.from({ length: 8 }, () => workers.prepare(slowRequest(target)));
  const settled = Promise.allSettled(all);
  await Promise.all([workers.close(), workers.close()]);
  await settled;
  t.is(await refusalReason(() => all[7]), 'CLOSED');
  t.is(await refusalReason(() => workers.prepare(slowRequest(target))), 'CLOSED');
  await workers.close();
});

test('buffers may be closed while their image is in work, but not written', async (t) => {
  const workers = makeWorkers(1);
  const target = new binding.StagingBuffer(BYTES);
  const image = { ...slowRequest(target), source: new binding.StagingBuffer(slowPixels.byteLength) };
  const running = workers.prepare(image);
  t.is((await refusal(() => image.source.write(0, new Uint8Array(1)))).metadata.argument, 'buffer');
  t.is((await refusal(() => target.write(0, new Uint8Array(1)))).metadata.argument, 'buffer');
  image.source.close();
  target.close();
  await t.notThrowsAsync(running);
  t.is(await refusalReason(() => workers.prepare(image)), 'CLOSED');
  await workers.close();
});

test('what is wrong with an image says the reason and the data', async (t) => {
  const workers = makeWorkers();
  const target = new binding.StagingBuffer(BYTES);
  const file = await png(20);
  const of = async (changes: Partial<ImageRequest>, bytes: Uint8Array = file) => {
    const { reason, metadata } = await refusal(() => workers.prepare(request(bytes, target, changes)));
    return { reason, metadata };
  };
  t.deepEqual(await of({ exact: true }), { reason: 'WRONG_IMAGE_WIDTH', metadata: { got: '20', wanted: '16' } });
  t.is((await of({}, Buffer.from('no image'))).reason, 'IMAGE_UNDECODABLE');
  t.is((await of({}, file.subarray(0, 300))).metadata.problem, 'the file is truncated');
  t.is((await of({ domain: { row: 0, column: 5, height: 20, width: 16 } })).metadata.argument, 'domain');
  t.is((await of({ pixels: { width: 20, height: 20, channels: 3 } })).metadata.argument, 'pixels');
  await workers.close();
});

test('arguments that cannot be right are refused', async (t) => {
  const workers = makeWorkers();
  const target = new binding.StagingBuffer(BYTES);
  const file = await png(16);
  const source = staged(file);
  const cases: Record<string, Record<string, unknown>> = {
    source: { source: {} },
    target: { target: source, source },
    width: { width: 0 },
    height: { height: 1.5 },
    channels: { channels: 2 },
    exact: { exact: 1 },
    domain: { domain: 3 },
    group: { group: -1 },
    index: { index: 2 ** 32 },
    sourceOffset: { sourceOffset: -1 },
    mirror: { augmentation: { ...AUGMENTATION, mirror: 'x' } },
    percentage: { augmentation: { ...AUGMENTATION, percentage: 101 } },
    rotateStep: { augmentation: { ...AUGMENTATION, rotateStep: 1e-300 } },
    rotateRange: { augmentation: { ...AUGMENTATION, rotateRange: 0 } },
    cropPercentage: { augmentation: { ...AUGMENTATION, cropPercentage: 101 } },
    brightnessVariation: { augmentation: { ...AUGMENTATION, brightnessVariation: 256 } },
    seed: { augmentation: { ...AUGMENTATION, seed: 7 } },
  };
  for (const [argument, changes] of Object.entries(cases)) {
    const error = await refusal(() => workers.prepare({ ...request(file, target), ...changes } as never));
    t.is(error.reason, 'INVALID_ARGUMENT', argument);
    t.is(error.metadata.argument, argument);
  }
  // Bytes beyond the ends of the buffers.
  t.is((await refusal(() => workers.prepare(request(file, target, { sourceOffset: 1 })))).metadata.argument, 'source');
  t.is((await refusal(() => workers.prepare(request(file, target, { targetOffset: 1 })))).metadata.argument, 'target');
  for (const options of [{ threads: 0, queueLength: 1 }, { threads: 1, queueLength: 0 }, {}, null] as never[]) {
    t.is(await refusalReason(() => new binding.ImageWorkers(options)), 'INVALID_ARGUMENT');
  }
  t.is(await refusalReason(() => workers.cancel('1' as never)), 'INVALID_ARGUMENT');
  await workers.close();
});

test('read gives a copy of what is within the buffer', async (t) => {
  const buffer = staged(Uint8Array.of(1, 2, 3, 4));
  const copy = buffer.read(1, 2);
  t.deepEqual(copy, Uint8Array.of(2, 3));
  copy.fill(9);
  t.deepEqual(buffer.read(0, 4), Uint8Array.of(1, 2, 3, 4));
  t.is(buffer.read(4, 0).length, 0);
  for (const [offset, length] of [
    [0, 5],
    [4, 1],
    [-1, 1],
    [0.5, 1],
    [Number.NaN, 1],
    ['0', 1],
  ] as [never, never][]) {
    t.is(await refusalReason(() => buffer.read(offset, length)), 'INVALID_ARGUMENT');
  }
  buffer.close();
  t.is(await refusalReason(() => buffer.read(0, 1)), 'CLOSED');
});
