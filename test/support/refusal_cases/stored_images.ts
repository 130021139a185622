import { PixelFormat } from '../../../generated/dlclassifier/v1/image.js';
import { ImageNames } from '../../../generated/dlclassifier/v1/image_store.js';
import { call, upload } from '../calls.js';
import { noiseBatch } from '../classifier.js';
import { describeStored, imageFiles, noisePixels, putMessages, sha256 } from '../stored_images.js';
import { train } from '../wire.js';
import { batchWith } from './bad_batches.js';
import type { Case } from './case.js';

const NOTHING = new Uint8Array();
const { labels } = noiseBatch();
const images = noisePixels([1, 2, 3, 4]);
const digest = sha256(Buffer.from('any'));

const names = (fields: Partial<ImageNames>) =>
  ImageNames.fromPartial({ format: PixelFormat.PIXEL_FORMAT_UINT8, width: 16, height: 16, channels: 3, ...fields });

export const storedImageCases: readonly Case[] = [
  {
    what: 'references to images that are not stored',
    reason: 'UNKNOWN_IMAGES',
    metadata: { count: '4', image: '0' },
    act: ({ client, classifier }) => train(client, classifier, { images: describeStored(images), labels, pixels: NOTHING }),
  },
  {
    what: 'not one reference an image',
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: '3 references for 4 images' },
    act: ({ client, classifier }) => train(client, classifier, batchWith({ references: [digest, NOTHING, NOTHING] })),
  },
  {
    what: 'a reference that is no SHA-256',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.references[2]', problem: /31 bytes/ },
    act: ({ client, classifier }) => train(client, classifier, batchWith({ references: [NOTHING, digest, digest.subarray(1), NOTHING] })),
  },
  {
    what: 'sizes of files that are named, not sent',
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: '4 encoded_sizes for 1 image files' },
    act: ({ client, classifier }) => {
      const { references } = describeStored(images, [1]);
      return train(client, classifier, batchWith({ format: PixelFormat.PIXEL_FORMAT_ENCODED, encodedSizes: [1, 2, 3, 4], references }));
    },
  },
  {
    what: 'bytes that do not have their digest',
    reason: 'IMAGE_HASH_MISMATCH',
    metadata: { image: '3', got: /^[0-9a-f]{64}$/, wanted: digest.toString('hex') },
    act: ({ client }) => upload(client, 'putImages', putMessages(images, [...images.parts.slice(0, 3).map(sha256), digest])),
  },
  {
    what: 'images to store without their digests',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'sha256', problem: '3 for 4 images' },
    act: ({ client }) => upload(client, 'putImages', putMessages(images, images.parts.slice(0, 3).map(sha256))),
  },
  {
    what: 'an image to store of 0 bytes',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.encoded_sizes[1]' },
    act: ({ client }) => upload(client, 'putImages', putMessages(imageFiles([Buffer.from('one'), NOTHING]))),
  },
  {
    what: 'no images to store',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.image_count' },
    act: ({ client }) => upload(client, 'putImages', putMessages(imageFiles([]))),
  },
  {
    what: 'an image to store that is larger than one may be',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'stored_image_bytes', got: '100001', maximum: '100000' },
    act: ({ client }) => upload(client, 'putImages', putMessages(imageFiles([Buffer.from('one'), Buffer.alloc(100_001)]))),
  },
  {
    what: 'more images to store than all may be together',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'stored_bytes', got: '400000', maximum: '300000' },
    act: ({ client }) => upload(client, 'putImages', putMessages(imageFiles(new Array<Buffer>(4).fill(Buffer.alloc(100_000))))),
  },
  {
    what: 'images to store of a shape that no machine could hold',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'stored_image_bytes', got: '55340232195358850000', maximum: '100000' },
    act: ({ client }) => {
      const huge = { width: 2 ** 32 - 1, height: 2 ** 32 - 1 };
      const header = { images: { ...batchWith(huge).images, imageCount: 1 }, sha256: [digest] };
      return upload(client, 'putImages', [{ header, pixels: NOTHING, commit: undefined }]);
    },
  },
  {
    what: 'images of two channels asked for',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images', problem: /2 channels/ },
    act: ({ client }) => call(client, 'hasImages', { images: names({ channels: 2, sha256: [digest] }) }),
  },
  {
    what: 'images of no format asked for',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.format' },
    act: ({ client }) => call(client, 'hasImages', { images: names({ format: PixelFormat.PIXEL_FORMAT_UNSPECIFIED, sha256: [digest] }) }),
  },
  {
    what: 'more images asked for than one call may name',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'stored_images', got: '16385', maximum: '16384' },
    act: ({ client }) => call(client, 'hasImages', { images: names({ sha256: new Array<Buffer>(16_385).fill(digest) }) }),
  },
  {
    what: 'images to delete left out',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'selection' },
    act: ({ client }) => call(client, 'deleteImages', { selection: undefined }),
  },
];
