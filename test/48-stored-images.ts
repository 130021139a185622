import { type ServiceError, status } from '@grpc/grpc-js';
import sharp from 'sharp';
import { PixelFormat } from '../generated/dlclassifier/v1/image.js';
import { call, connectTo, upload } from './support/calls.js';
import { type Batch, noiseBatch, readCompact, serialize } from './support/classifier.js';
import { startDaemon } from './support/daemon.js';
import {
  describe,
  describeStored,
  type Images,
  imageFiles,
  missingImages,
  namesOf,
  noisePixels,
  putImages,
  putMessages,
  sha256,
  unknownImages,
} from './support/stored_images.js';
import { applyMessages, getParams, named, plain, refusalOf, setParams, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire(['--max-stored-bytes', '1000000', '--max-stored-image-bytes', '20000']);

const { labels } = noiseBatch();

/** All images sent. */
function sentBatch(images: Images): Batch {
  return { images: describe(images), labels, pixels: Buffer.concat(images.parts) };
}

/** All images by reference but those at the positions in `sent`. */
function storedBatch(images: Images, sent: readonly number[] = []): Batch {
  return {
    images: describeStored(images, sent),
    labels,
    pixels: Buffer.concat(sent.map((position) => images.parts[position] as Uint8Array)),
  };
}

/** 16 x 16 noise as PNG files; noise, because libvips would find a file with one colour too easy. */
async function noiseFiles(seeds: readonly number[]): Promise<Images> {
  const files = noisePixels(seeds).parts.map((pixels) =>
    sharp(pixels, { raw: { width: 16, height: 16, channels: 3 } })
      .png()
      .toBuffer(),
  );
  return imageFiles(await Promise.all(files));
}

function asFloats({ parts, ...shape }: Images): Images {
  const floats = parts.map((part) => Buffer.from(Float32Array.from(part, (value) => value - 127).buffer));
  return { ...shape, format: PixelFormat.PIXEL_FORMAT_FLOAT32, parts: floats };
}

test('images that were put are there, under the digest of their bytes and their shape', async (t) => {
  const { client } = t.context;
  const images = noisePixels([1, 2, 3]);
  t.deepEqual(await missingImages(client, images), [0, 1, 2]);
  t.deepEqual(await putImages(client, images), { addedImages: 3, presentImages: 0 });
  t.deepEqual(await missingImages(client, noisePixels([2, 9, 1])), [1]);
  t.deepEqual(await putImages(client, noisePixels([3, 4])), { addedImages: 1, presentImages: 1 });
});

test('equal bytes of another shape or format are another image', async (t) => {
  const { client } = t.context;
  const images = noisePixels([100]);
  await putImages(client, images);
  t.deepEqual(await missingImages(client, { ...images, width: 32, height: 8 }), [0]);
  t.deepEqual(await missingImages(client, { ...images, width: 32, height: 24, channels: 1 }), [0]);
  t.deepEqual(await missingImages(client, imageFiles(images.parts)), [0]);
  t.deepEqual(await missingImages(client, { ...images, format: PixelFormat.PIXEL_FORMAT_FLOAT32, width: 8, height: 8 }), [0]);
  t.deepEqual(await missingImages(client, images), []);
});

for (const [what, make] of [
  ['pixels', async (seeds: readonly number[]) => noisePixels(seeds)],
  ['float pixels', async (seeds: readonly number[]) => asFloats(noisePixels(seeds))],
  ['files', noiseFiles],
] as const) {
  test(`a step on references to ${what} gives bit for bit what a step on the images gives, mixed ones, too`, async (t) => {
    const { client } = t.context;
    const images = await make([11, 12, 13, 14]);
    await putImages(client, images);
    const [sent, stored, mixed] = [await readCompact(client), await readCompact(client), await readCompact(client)];
    // Twice: the second time the pixels are in memory.
    for (let step = 0; step < 2; step++) {
      const { loss } = await train(client, sent, sentBatch(images));
      t.is((await train(client, stored, storedBatch(images))).loss, loss);
      t.is((await train(client, mixed, storedBatch(images, step === 0 ? [1, 2] : [3]))).loss, loss);
    }
    t.true((await serialize(client, stored)).equals(await serialize(client, sent)));
    t.true((await serialize(client, mixed)).equals(await serialize(client, sent)));
  });
}

test('the same stored image may stand in a batch several times', async (t) => {
  const { client } = t.context;
  const images = noisePixels([15, 15, 16, 15]);
  await putImages(client, images);
  const [sent, stored] = [await readCompact(client), await readCompact(client)];
  t.is((await train(client, stored, storedBatch(images, [3]))).loss, (await train(client, sent, sentBatch(images))).loss);
});

test('stored images are classified as sent ones are', async (t) => {
  const { client } = t.context;
  const images = await noiseFiles([21, 22, 23, 24, 25]);
  await putImages(client, images);
  const classifier = await readCompact(client);
  const confidences = async (batch: Batch) => {
    const { result } = await upload(client, 'applyClassifier', applyMessages(classifier, batch));
    return plain((await call(client, 'getResult', { result, index: undefined, names: ['confidences'] })).results);
  };
  const wanted = await confidences(sentBatch(images));
  t.deepEqual(await confidences(storedBatch(images)), wanted);
  t.deepEqual(await confidences(storedBatch(images, [0, 4])), wanted);
});

test('a file that is stored follows the image size of the classifier', async (t) => {
  const { client } = t.context;
  const grey = Buffer.alloc(16 * 16, 77);
  const file = await sharp(grey, { raw: { width: 16, height: 16, channels: 1 } })
    .png()
    .toBuffer();
  const images = imageFiles([file, file, file, file]);
  await putImages(client, images);
  for (const channels of [3n, 1n]) {
    const [sent, stored] = [await readCompact(client), await readCompact(client)];
    for (const classifier of [sent, stored]) await setParams(client, classifier, named('image_num_channels', channels));
    t.is((await train(client, stored, storedBatch(images))).loss, (await train(client, sent, sentBatch(images))).loss);
  }
});

test('all unknown images are listed, and nothing has changed', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const before = await serialize(client, classifier);
  await putImages(client, noisePixels([32]));
  const error = await t.throwsAsync<ServiceError>(train(client, classifier, storedBatch(noisePixels([31, 32, 33, 34]), [3])));
  t.is(error?.code, status.NOT_FOUND);
  t.deepEqual(unknownImages(error as ServiceError), [0, 2]);
  t.deepEqual(await getParams(client, classifier, 'step'), { step: [0n] });
  t.true((await serialize(client, classifier)).equals(before));
});

test('the list of unknown images fits into the trailers however long it is', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const parts = Array.from({ length: 16_384 }, (_, index) => Buffer.from(`image ${index}`));
  const images = { ...describeStored(imageFiles(parts)) };
  const error = await t.throwsAsync<ServiceError>(
    upload(client, 'applyClassifier', applyMessages(classifier, { images, pixels: new Uint8Array() })),
  );
  t.is(unknownImages(error as ServiceError).length, 16_384);
});

test('an undecodable stored image is named by its position in the batch', async (t) => {
  const { client } = t.context;
  const { parts } = await noiseFiles([41, 42]);
  const [first, second] = parts as [Uint8Array, Uint8Array];
  const images = imageFiles([first, second, Buffer.from('no image'), second]);
  await putImages(client, images);
  const classifier = await readCompact(client);
  const stored = await refusalOf(train(client, classifier, storedBatch(images, [0])));
  t.is(stored.reason, 'IMAGE_UNDECODABLE');
  t.is(stored.metadata.image, '2');
  const mixed = await refusalOf(train(client, classifier, storedBatch(images, [2, 3])));
  t.is(mixed.reason, 'IMAGE_UNDECODABLE');
  t.is(mixed.metadata.image, '2');
});

test('bytes that have another digest than was declared are not stored, nor is any image of their call', async (t) => {
  const { client } = t.context;
  const images = noisePixels([51, 52, 53]);
  const digests = images.parts.map(sha256);
  digests[1] = sha256(Buffer.from('something else'));
  const { reason, metadata } = await refusalOf(upload(client, 'putImages', putMessages(images, digests)));
  t.is(reason, 'IMAGE_HASH_MISMATCH');
  t.is(metadata.image, '1');
  t.is(metadata.got, sha256(images.parts[1] as Uint8Array).toString('hex'));
  t.deepEqual(await missingImages(client, images), [0, 1, 2]);
});

test('images whose upload was not committed are not stored', async (t) => {
  const { client } = t.context;
  const images = noisePixels([61, 62]);
  const { reason } = await refusalOf(upload(client, 'putImages', putMessages(images).slice(0, -1)));
  t.is(reason, 'UPLOAD_TRUNCATED');
  t.deepEqual(await missingImages(client, images), [0, 1]);
});

test('images may be cut into messages anywhere', async (t) => {
  const { client } = t.context;
  const images = imageFiles([1, 700, 3, 64, 5000, 1].map((size, index) => Buffer.alloc(size, index)));
  for (const chunkBytes of [1, 63, 64, 65, 700]) {
    await call(client, 'deleteImages', { selection: { $case: 'images', value: namesOf(images) } });
    await upload(client, 'putImages', putMessages(images, undefined, chunkBytes));
    t.deepEqual(await missingImages(client, images), []);
  }
});

test('two clients that put the same images at once: each is stored once', async (t) => {
  const other = connectTo(t.context.daemon.address);
  const images = noisePixels([71, 72, 73, 74, 75, 76, 77, 78]);
  const answers = await Promise.all([t.context.client, other, t.context.client].map((client) => putImages(client, images)));
  t.is(
    answers.reduce((sum, { addedImages }) => sum + addedImages, 0),
    8,
  );
  t.is(
    answers.reduce((sum, { presentImages }) => sum + presentImages, 0),
    16,
  );
  t.deepEqual(await missingImages(other, images), []);
  other.close();
});

test.serial('the store tells what it holds, and holds no more than it may', async (t) => {
  const { client } = t.context;
  await call(client, 'deleteImages', { selection: { $case: 'all', value: true } });
  // 768 bytes each: 1302 fit.
  for (let start = 0; start < 1500; start += 500) {
    const seeds = Array.from({ length: 500 }, (_, index) => 1000 + start + index);
    await putImages(client, noisePixels(seeds));
  }
  const info = await call(client, 'getStoreInfo', {});
  t.is(info.problem, '');
  t.is(info.images, 1302n);
  t.is(info.bytes, 1302n * 768n);
  t.is(info.maximumBytes, 1_000_000n);
  t.is(info.maximumImageBytes, 20_000n);
  t.is(info.evictedImages, 198n);
  t.is(info.pixelBytes, info.bytes);
  t.true(info.maximumPixelBytes > info.pixelBytes);
  // Images of one call are written two at a time, so that their order is not quite that of the call: 198 of the first call are gone.
  const seedsFrom = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);
  const gone = await missingImages(client, noisePixels(seedsFrom(1000, 500)));
  t.is(gone.length, 198);
  t.deepEqual(await missingImages(client, noisePixels(seedsFrom(1500, 1000))), []);
  const { deletedImages } = await call(client, 'deleteImages', {
    selection: { $case: 'images', value: namesOf(noisePixels([1000 + (gone[0] ?? 0), 2499])) },
  });
  t.is(deletedImages, 1n);
  t.is((await call(client, 'deleteImages', { selection: { $case: 'all', value: true } })).deletedImages, 1301n);
  const empty = await call(client, 'getStoreInfo', {});
  t.deepEqual([empty.images, empty.bytes, empty.pixelBytes], [0n, 0n, 0n]);
});

test('pixels that make room for others while batches use them are used to the end: losses are those of images that are sent', async (t) => {
  // Two images of 768 bytes are held, and a batch has four.
  const daemon = await startDaemon(['--max-pixel-cache-bytes', '1600']);
  const client = connectTo(daemon.address);
  const sets = [noisePixels([1, 2, 3, 4]), noisePixels([5, 6, 7, 8]), noisePixels([3, 1, 8, 2])];
  for (const images of sets) await putImages(client, images);
  const classifiers = await Promise.all(sets.map(() => readCompact(client)));
  const loss = async (classifier: string, batch: Batch) => (await train(client, classifier, batch)).loss;
  const stored = await Promise.all(
    sets.map((images, index) => loss(classifiers[index] as string, storedBatch(images, index === 2 ? [1] : []))),
  );
  for (const [index, images] of sets.entries()) {
    t.is(stored[index], await loss(await readCompact(client), sentBatch(images)));
  }
  t.true((await call(client, 'getStoreInfo', {})).pixelBytes <= 1600n);
  client.close();
  await daemon.stop();
});
