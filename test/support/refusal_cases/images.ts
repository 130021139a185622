import { Augmentation } from '../../../generated/dlclassifier/v1/augmentation.js';
import { type ImageBatch, PixelFormat } from '../../../generated/dlclassifier/v1/image.js';
import { call, upload } from '../calls.js';
import { noiseBatch } from '../classifier.js';
import { applyMessages, train } from '../wire.js';
import { batchWith, blue, encodedBatch, floatBatch, png, trainWithHeader } from './bad_batches.js';
import type { Case, Situation } from './case.js';

const PLAIN = { normalizeContrast: false };

const domain = (row1: number, column1: number, row2: number, column2: number) => ({ rectangle: { row1, column1, row2, column2 } });

/** Three parts of an image, and a whole one. */
const DOMAIN = [domain(0, 0, 7, 7), domain(1, 1, 15, 15), domain(15, 15, 15, 15), { rectangle: undefined }];

/** Four image files, the second of which may be another, with more in their description. */
async function trainFiles({ client, classifier }: Situation, images: Partial<ImageBatch>, second: Buffer | Promise<Buffer> = blue()) {
  const batch = await encodedBatch(blue(), second, blue(), blue());
  return train(client, classifier, { ...batch, images: { ...batch.images, ...images } });
}

/** A batch whose images are to be varied in a way that cannot be. */
function augmentationCase(what: string, field: string, problem: RegExp, augmentation: Partial<Augmentation>): Case {
  return {
    what: `an augmentation ${what}`,
    reason: 'INVALID_REQUEST',
    metadata: { field, problem },
    act: (s) => trainWithHeader(s, { augmentation: Augmentation.fromPartial(augmentation) }),
  };
}

export const imageCases: readonly Case[] = [
  {
    what: 'preprocessing of pixels',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.preprocessing', problem: /PIXEL_FORMAT_ENCODED alone/ },
    act: ({ client, classifier }) => train(client, classifier, batchWith({ preprocessing: { normalizeContrast: false } })),
  },
  {
    what: 'domains without preprocessing',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.domains', problem: /need images.preprocessing/ },
    act: async (s) => trainFiles(s, { domains: DOMAIN.slice(0, 1) }),
  },
  {
    what: 'not one domain an image',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.domains', problem: '1 domains for 4 images' },
    act: async (s) => trainFiles(s, { domains: DOMAIN.slice(0, 1), preprocessing: PLAIN }),
  },
  {
    what: 'an empty domain',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.domains[2]', problem: /rows 3..2 and columns 0..15 are no part/ },
    act: async (s) => trainFiles(s, { domains: DOMAIN.with(2, domain(3, 0, 2, 15)), preprocessing: PLAIN }),
  },
  {
    what: 'a domain beyond its image',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.domains[1]', problem: /rows 0..16 and columns 0..15 are not within an image of 16 x 16/ },
    act: async (s) => trainFiles(s, { domains: DOMAIN.with(1, domain(0, 0, 16, 15)), preprocessing: PLAIN }),
  },
  {
    what: 'a file to be preprocessed that is none',
    reason: 'IMAGE_UNDECODABLE',
    metadata: { image: '1', problem: /./ },
    act: async (s) => trainFiles(s, { preprocessing: PLAIN }, Buffer.from('no image')),
  },
  augmentationCase('without a method', 'augmentation', /no method/, { seed: 1n }),
  augmentationCase('of more than all images', 'augmentation.percentage', /is 101; give 0..100/, { percentage: 101, mirror: 1 }),
  augmentationCase('of an unknown mode', 'augmentation.mode', /none of the contract/, { mode: 9 as never, mirror: 1 }),
  augmentationCase('with an unknown mirror', 'augmentation.mirror', /none of the contract/, { mirror: 9 as never }),
  augmentationCase('by a step of 0 degrees', 'augmentation.rotate_step', /is 0;/, { rotation: { $case: 'rotateStep', value: 0 } }),
  augmentationCase('by steps without number', 'augmentation.rotate_step', /is 1e-300; give 0.001..180/, {
    rotation: { $case: 'rotateStep', value: 1e-300 },
  }),
  augmentationCase('by any angle and more', 'augmentation.rotate_range', /is 181;/, { rotation: { $case: 'rotateRange', value: 181 } }),
  augmentationCase('by no number', 'augmentation.rotate_range', /is NaN;/, { rotation: { $case: 'rotateRange', value: Number.NaN } }),
  augmentationCase('with the whole image', 'augmentation.crop_percentage', /is 100;/, { crop: { $case: 'cropPercentage', value: 100 } }),
  augmentationCase('with more than the image', 'augmentation.crop_pixels', /is 17; give 1..16/, {
    crop: { $case: 'cropPixels', value: 17 },
  }),
  augmentationCase('darker than black', 'augmentation.brightness_variation', /is 256;/, { brightnessVariation: 256 }),
  augmentationCase('with a negative spot', 'augmentation.brightness_variation_spot', /is -1;/, { brightnessVariationSpot: -1 }),
  {
    what: 'an augmentation of float images',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'augmentation', problem: /float images are not varied/ },
    act: (s) => trainWithHeader(s, { images: floatBatch(0, 0).images, augmentation: Augmentation.fromPartial({ mirror: 1 }) }),
  },
  {
    what: 'images too wide',
    reason: 'WRONG_IMAGE_WIDTH',
    metadata: { image: '0', got: '17', wanted: '16' },
    act: ({ client, classifier }) => train(client, classifier, batchWith({ width: 17 })),
  },
  {
    what: 'images too low',
    reason: 'WRONG_IMAGE_HEIGHT',
    metadata: { image: '0', got: '15', wanted: '16' },
    act: ({ client, classifier }) => train(client, classifier, batchWith({ height: 15 })),
  },
  {
    what: 'images of one channel',
    reason: 'WRONG_IMAGE_CHANNELS',
    metadata: { image: '0', got: '1', wanted: '3' },
    act: ({ client, classifier }) => train(client, classifier, batchWith({ channels: 1 })),
  },
  {
    what: 'images to be classified that are too wide',
    reason: 'WRONG_IMAGE_WIDTH',
    metadata: { image: '0', got: '17', wanted: '16' },
    act: ({ client, classifier }) => upload(client, 'applyClassifier', applyMessages(classifier, batchWith({ width: 17 }))),
  },
  {
    what: 'a file whose image is too wide',
    reason: 'WRONG_IMAGE_WIDTH',
    metadata: { image: '2', got: '20', wanted: '16' },
    act: async ({ client, classifier }) => train(client, classifier, await encodedBatch(blue(), blue(), png(20, 16, '#f00'), blue())),
  },
  {
    what: 'a file whose image is too high',
    reason: 'WRONG_IMAGE_HEIGHT',
    metadata: { image: '0', got: '20', wanted: '16' },
    act: async ({ client, classifier }) =>
      upload(client, 'applyClassifier', applyMessages(classifier, await encodedBatch(png(16, 20, '#f00')))),
  },
  {
    what: 'a file with a transparent image',
    reason: 'WRONG_IMAGE_CHANNELS',
    metadata: { image: '3', got: '4', wanted: '3' },
    act: async ({ client, classifier }) => train(client, classifier, await encodedBatch(blue(), blue(), blue(), png(16, 16, '#ff000080'))),
  },
  {
    what: 'a file that is no image',
    reason: 'IMAGE_UNDECODABLE',
    metadata: { image: '1', problem: /./ },
    act: async ({ client, classifier }) => train(client, classifier, await encodedBatch(blue(), Buffer.from('no image'), blue(), blue())),
  },
  {
    what: 'NaN in a float image',
    reason: 'IMAGE_VALUE_OUT_OF_RANGE',
    metadata: { image: '2', value: /nan/i },
    act: ({ client, classifier }) => train(client, classifier, floatBatch(Number.NaN, 2)),
  },
  {
    what: 'infinity in a float image',
    reason: 'IMAGE_VALUE_OUT_OF_RANGE',
    metadata: { image: '0', value: /^-inf/i },
    act: ({ client, classifier }) => upload(client, 'applyClassifier', applyMessages(classifier, floatBatch(Number.NEGATIVE_INFINITY, 0))),
  },
  {
    what: 'a value above the range of float images',
    reason: 'IMAGE_VALUE_OUT_OF_RANGE',
    metadata: { image: '3', value: /^128\.5/ },
    act: ({ client, classifier }) => train(client, classifier, floatBatch(128.5, 3)),
  },
  {
    what: 'no format',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.format', problem: /./ },
    act: ({ client, classifier }) => train(client, classifier, batchWith({ format: PixelFormat.PIXEL_FORMAT_UNSPECIFIED })),
  },
  {
    what: 'no description of the images',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images', problem: /left out/ },
    act: (s) => trainWithHeader(s, { images: undefined }),
  },
  {
    what: 'nothing to classify',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.image_count', problem: /at least 1/ },
    act: ({ client, classifier }) => {
      const images = { ...noiseBatch().images, imageCount: 0 };
      return upload(client, 'applyClassifier', applyMessages(classifier, { images, pixels: new Uint8Array() }));
    },
  },
  {
    what: 'an image of a result that it does not have',
    reason: 'WRONG_VALUE',
    metadata: { name: 'image', got: '4', wanted: 'an index from 0 to 3' },
    act: async ({ client, classifier }) => {
      const { result } = await upload(client, 'applyClassifier', applyMessages(classifier, noiseBatch()));
      return call(client, 'getResult', { result, index: { $case: 'image', value: 4 }, names: [] });
    },
  },
];
