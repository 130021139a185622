import { crc32 } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { engineBinding, type StagingBuffer as StagingBufferObject } from '../native/index.js';
import { busy, makeEngine, makeModel, makeSlowModel, noiseBatch, refusal, refusalReason } from './support/engine.js';
import { planOptions, SLOW_INPUT, SMALL_INPUT, trainOptions } from './support/graphs.js';

const { StagingBuffer } = engineBinding();

test('a staging buffer has the length that it was made with', (t) => {
  t.is(new StagingBuffer(12345).byteLength, 12345);
});

test('lengths that are none are refused', async (t) => {
  for (const length of [undefined, null, '8', {}, 0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40] as never[]) {
    t.is(await refusalReason(() => new StagingBuffer(length)), 'INVALID_ARGUMENT');
  }
});

test('write takes what fits and refuses a byte more', async (t) => {
  const buffer = new StagingBuffer(100);
  buffer.write(0, new Uint8Array(100));
  buffer.write(99, new Uint8Array(1));
  buffer.write(100, new Uint8Array(0));
  for (const [offset, length] of [
    [0, 101],
    [1, 100],
    [99, 2],
    [100, 1],
    [101, 0],
    [-1, 1],
    [0.5, 1],
    [Number.NaN, 1],
    [2 ** 53, 1],
    [2 ** 64, 1],
  ] as const) {
    const error = await refusal(() => buffer.write(offset, new Uint8Array(length)));
    t.is(error.reason, 'INVALID_ARGUMENT');
    t.is(error.metadata.argument, 'offset');
  }
});

test('write refuses what are no bytes', async (t) => {
  const buffer = new StagingBuffer(100);
  for (const bytes of [undefined, null, 'bytes', [1, 2], new ArrayBuffer(4), new Uint8ClampedArray(4), new Int8Array(4)] as never[]) {
    const error = await refusal(() => buffer.write(0, bytes));
    t.is(error.reason, 'INVALID_ARGUMENT');
    t.is(error.metadata.argument, 'bytes');
  }
  for (const offset of [undefined, null, '0', 0n] as never[]) {
    t.is((await refusal(() => buffer.write(offset, new Uint8Array(1)))).metadata.argument, 'offset');
  }
});

test('pieces are laid one after the other, with the CRC-32 of zlib, however they are cut', (t) => {
  const all = Uint8Array.from({ length: 5000 }, (_, index) => (index * index * 31) >> 3);
  const cuts = fc.array(fc.oneof(fc.nat(40), fc.nat(700), fc.constant(0)), { maxLength: 12 });
  const property = fc.property(cuts, fc.nat(70), fc.nat(70), fc.nat(2 ** 32 - 1), (lengths, from, to, before) => {
    const buffer = new StagingBuffer(all.length + 100);
    buffer.write(0, new Uint8Array(buffer.byteLength));
    let end = from;
    const pieces = lengths.flatMap((length) => {
      const piece = all.subarray(end, end + length);
      end += piece.length;
      return [piece];
    });
    t.is(buffer.writePieces(to, pieces, before), crc32(all.subarray(from, end), before));
    const wanted = new Uint8Array(buffer.byteLength);
    wanted.set(all.subarray(from, end), to);
    t.deepEqual(buffer.read(0, buffer.byteLength), wanted);
    buffer.close();
  });
  t.notThrows(() => fc.assert(property, { numRuns: 300 }));
});

test('pieces that do not fit or are none are refused before one of them is written', async (t) => {
  const buffer = new StagingBuffer(10);
  buffer.write(0, new Uint8Array(10));
  const ones = new Uint8Array(5).fill(1);
  const argument = async (...args: unknown[]) =>
    (await refusal(() => buffer.writePieces(...(args as [number, Uint8Array[], number])))).metadata.argument;
  t.is(await argument(0, [ones, ones, new Uint8Array(1)], 0), 'offset');
  for (const offset of [6, -1, 0.5, '0', undefined, Number.NaN]) t.is(await argument(offset, [ones], 0), 'offset');
  for (const pieces of [undefined, null, ones, 'pieces', {}, [ones, null], [ones, [1]], [ones, new Int8Array(1)]]) {
    t.is(await argument(0, pieces, 0), 'pieces');
  }
  for (const checksum of [undefined, '0', -1, 0.5, 2 ** 32, Number.NaN]) t.is(await argument(0, [ones], checksum), 'checksum');
  t.deepEqual(buffer.read(0, 10), new Uint8Array(10));
  t.is(buffer.writePieces(10, [], 7), 7);
  const closing = [ones, ones];
  Object.defineProperty(closing, 1, {
    get: () => {
      buffer.close();
      return ones;
    },
  });
  t.is(await refusalReason(() => buffer.writePieces(0, closing, 0)), 'CLOSED');
});

test('a view into a larger buffer and shared memory are copied as they are; a detached array holds nothing', async (t) => {
  const engine = makeEngine();
  const model = makeModel(engine);
  const pixels = new Uint8Array(8 * 8 * 3).map((_, i) => i);
  const confidences = async (...writes: [number, Uint8Array][]): Promise<Float32Array> => {
    const buffer = new StagingBuffer(pixels.length);
    for (const [offset, bytes] of writes) buffer.write(offset, bytes);
    return model.apply({ buffer, format: 'uint8', count: 1 }, planOptions(1));
  };
  const expected = await confidences([0, pixels]);
  const larger = new Uint8Array([9, 9, ...pixels, 9]).subarray(2, 2 + pixels.length);
  t.deepEqual(await confidences([0, larger]), expected);
  t.deepEqual(await confidences([0, Buffer.from(pixels)]), expected);
  t.deepEqual(await confidences([0, pixels.subarray(0, 100)], [100, pixels.subarray(100)]), expected);
  const shared = new Uint8Array(new SharedArrayBuffer(pixels.length));
  shared.set(pixels);
  t.deepEqual(await confidences([0, shared]), expected);
  const detached = new Uint8Array(16).fill(7);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  t.deepEqual(await confidences([0, pixels], [0, detached]), expected);
  await engine.close();
});

test('memory that a buffer has left is used again', (t) => {
  const bytes = new Uint8Array(8 * 2 ** 20).fill(1);
  /** Bytes of pages that the kernel had to give. */
  const newBytes = (lengths: readonly number[]): number => {
    const before = process.resourceUsage().minorPageFault;
    for (const length of lengths) {
      const buffer = new StagingBuffer(length);
      buffer.write(0, bytes.subarray(0, length));
      buffer.close();
    }
    return (process.resourceUsage().minorPageFault - before) * 4096;
  };
  const lengths = Array.from({ length: 32 }, (_, index) => bytes.length - 1000 * index);
  newBytes([bytes.length]);
  t.true(newBytes(lengths) < 4 * bytes.length);
});

test("memory that is kept is not another buffer's, whatever is closed when", (t) => {
  const lengths = fc.array(fc.record({ length: fc.integer({ min: 900_000, max: 3_000_000 }), life: fc.nat(5) }), { maxLength: 30 });
  const property = fc.property(lengths, (made) => {
    let open: { readonly buffer: StagingBufferObject; readonly mark: number; readonly until: number }[] = [];
    for (const [index, { length, life }] of made.entries()) {
      const buffer = new StagingBuffer(length);
      open.push({ buffer, mark: index, until: index + life });
      buffer.write(0, new Uint8Array(length).fill(index));
      for (const { buffer: other, mark } of open) {
        const last = other.read(other.byteLength - 1, 1)[0];
        if (other.read(0, 1)[0] !== mark || last !== mark) return false;
      }
      for (const { buffer: other, until } of open) if (until <= index) other.close();
      open = open.filter(({ until }) => until > index);
    }
    for (const { buffer } of open) buffer.close();
    return true;
  });
  t.notThrows(() => fc.assert(property, { numRuns: 30 }));
});

test('a closed buffer refuses to be written and to be read', async (t) => {
  const engine = makeEngine();
  const model = makeModel(engine);
  const batch = noiseBatch(SMALL_INPUT, 2);
  batch.buffer.close();
  batch.buffer.close();
  t.is(batch.buffer.byteLength, 2 * 8 * 8 * 3);
  t.is(await refusalReason(() => batch.buffer.write(0, new Uint8Array(1))), 'CLOSED');
  t.is(await refusalReason(() => batch.buffer.writePieces(0, [new Uint8Array(1)], 0)), 'CLOSED');
  t.is(await refusalReason(() => model.apply(batch, planOptions(2))), 'CLOSED');
  await engine.close();
});

test('a buffer cannot be written while a job reads it', async (t) => {
  const engine = makeEngine();
  const model = makeSlowModel(engine);
  const batch = noiseBatch(SLOW_INPUT, 1);
  const running = busy(model);
  const waiting = model.train(batch, new Int32Array(1), trainOptions(1));
  const error = await refusal(() => batch.buffer.write(0, new Uint8Array(1)));
  t.is(error.reason, 'INVALID_ARGUMENT');
  t.is(error.metadata.argument, 'buffer');
  await Promise.all([running, waiting]);
  batch.buffer.write(0, new Uint8Array(1));
  await engine.close();
});

test('a buffer that was announced cannot be written any more, also not by an image, but can be read and trained on', async (t) => {
  const engine = makeEngine();
  const model = makeModel(engine);
  const batch = noiseBatch(SMALL_INPUT, 2);
  const before = batch.buffer.read(0, batch.buffer.byteLength);
  model.announce(batch);
  model.announce(batch);
  for (const write of [() => batch.buffer.write(0, new Uint8Array(1)), () => imageInto(batch.buffer)]) {
    const error = await refusal(write);
    t.is(error.reason, 'INVALID_ARGUMENT');
    t.regex(error.message, /announced/);
  }
  await model.train(batch, new Int32Array(2), trainOptions(2));
  t.is(await refusalReason(() => batch.buffer.write(0, new Uint8Array(1))), 'INVALID_ARGUMENT');
  t.deepEqual(batch.buffer.read(0, batch.buffer.byteLength), before);
  await engine.close();
});

test('what is no batch, and a closed buffer, are not announced', async (t) => {
  const engine = makeEngine();
  const model = makeModel(engine);
  const batch = noiseBatch(SMALL_INPUT, 2);
  for (const wrong of [undefined, null, {}, { ...batch, format: 'int8' }, { ...batch, count: 0 }, { ...batch, buffer: {} }] as never[]) {
    t.is(await refusalReason(() => model.announce(wrong)), 'INVALID_ARGUMENT');
  }
  batch.buffer.write(0, new Uint8Array(1));
  batch.buffer.close();
  t.is(await refusalReason(() => model.announce(batch)), 'CLOSED');
  await engine.close();
});

/** Lets a black image of 8 x 8 pixels be written to the beginning of this buffer. */
async function imageInto(target: StagingBufferObject): Promise<void> {
  const workers = new (engineBinding().ImageWorkers)({ threads: 1, queueLength: 1 });
  const shape = { width: 8, height: 8, channels: 3 };
  const sourceBytes = 8 * 8 * 3;
  try {
    await workers.prepare({
      source: new StagingBuffer(sourceBytes),
      sourceOffset: 0,
      sourceBytes,
      pixels: shape,
      target,
      targetOffset: 0,
      ...shape,
      exact: true,
      domain: null,
      normalizeContrast: false,
      augmentation: null,
      index: 0,
      group: 0,
    });
  } finally {
    await workers.close();
  }
}

test('a refused call gives the buffer back at once', async (t) => {
  const engine = makeEngine(1);
  const model = makeSlowModel(engine);
  const batch = noiseBatch(SLOW_INPUT, 1);
  const taken = [busy(model), model.snapshot()];
  t.is(await refusalReason(() => model.apply(batch, planOptions(1))), 'QUEUE_FULL');
  batch.buffer.write(0, new Uint8Array(1));
  await Promise.all(taken);
  await engine.close();
});
