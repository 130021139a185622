import sharp from 'sharp';
import { Augmentation, AugmentationMode } from '../generated/dlclassifier/v1/augmentation.js';
import type { ImageBatch } from '../generated/dlclassifier/v1/image.js';
import { upload } from './support/calls.js';
import { type Batch, noiseBatch, readCompact, serialize, trainMessages } from './support/classifier.js';
import { describe, describeStored, type Images, imageFiles, noisePixels, putImages } from './support/stored_images.js';
import { testOverTheWire, type WireContext } from './support/wire.js';

const test = testOverTheWire([]);

const AUGMENTATION = Augmentation.fromPartial({
  seed: 5n,
  counter: 9n,
  mode: AugmentationMode.AUGMENTATION_MODE_ALL_METHODS,
  mirror: 3,
  rotation: { $case: 'rotateRange', value: 40 },
  crop: { $case: 'cropPercentage', value: 75 },
  brightnessVariation: 25,
  brightnessVariationSpot: 60,
});

/** Weights after one step on a new classifier. */
async function weights({ client }: WireContext, batch: Batch, augmentation?: Augmentation): Promise<string> {
  const classifier = await readCompact(client);
  const [first, ...rest] = trainMessages(classifier, batch);
  if (first?.header === undefined) throw new Error('the first message has no header');
  await upload(client, 'trainBatch', [{ ...first, header: { ...first.header, augmentation } }, ...rest]);
  return (await serialize(client, classifier)).toString('base64');
}

function sent(images: Images, more: Partial<ImageBatch> = {}): Batch {
  return { ...noiseBatch(), images: { ...describe(images), ...more }, pixels: Buffer.concat(images.parts) };
}

/** All by reference but the second. */
function stored(images: Images, more: Partial<ImageBatch> = {}): Batch {
  return { ...noiseBatch(), images: { ...describeStored(images, [1]), ...more }, pixels: images.parts[1] as Uint8Array };
}

test('stored pixels are varied as sent ones, each time, and stay as they are', async (t) => {
  const images = noisePixels([1, 2, 3, 4]);
  await putImages(t.context.client, images);
  const varied = await weights(t.context, sent(images), AUGMENTATION);
  const plain = await weights(t.context, sent(images));
  t.not(varied, plain);
  t.is(await weights(t.context, stored(images), AUGMENTATION), varied);
  t.is(await weights(t.context, stored(images)), plain);
  t.is(await weights(t.context, stored(images), AUGMENTATION), varied);
});

test('stored files of any size are preprocessed as sent ones, whole and by their domains, from the disk and from memory', async (t) => {
  const files = [20, 31, 47, 52].map((side, seed) => {
    const data = noisePixels([seed + 10], side).parts[0] as Uint8Array;
    return sharp(data, { raw: { width: side, height: side, channels: 3 } })
      .png()
      .toBuffer();
  });
  const images = imageFiles(await Promise.all(files));
  await putImages(t.context.client, images);
  const part = (first: number) => ({ rectangle: { row1: first, column1: 1, row2: first + 9, column2: 17 } });
  const ways: Partial<ImageBatch>[] = [
    { preprocessing: { normalizeContrast: false } },
    { preprocessing: { normalizeContrast: true } },
    { preprocessing: { normalizeContrast: false }, domains: [part(0), part(5), { rectangle: undefined }, part(30)] },
    { preprocessing: { normalizeContrast: false }, domains: [part(1), part(5), { rectangle: undefined }, part(30)] },
  ];
  const results: string[] = [];
  for (const way of ways) {
    const expected = await weights(t.context, sent(images, way), AUGMENTATION);
    t.is(await weights(t.context, stored(images, way), AUGMENTATION), expected);
    t.is(await weights(t.context, stored(images, way), AUGMENTATION), expected);
    results.push(expected);
  }
  t.is(new Set(results).size, ways.length);
});
