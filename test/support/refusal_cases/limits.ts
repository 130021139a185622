import { call, upload } from '../calls.js';
import { noiseBatch } from '../classifier.js';
import { applyMessages, named, setParams, train } from '../wire.js';
import { batchWith, blue, encodedBatch } from './bad_batches.js';
import type { Case, Situation } from './case.js';

const MIB = 2 ** 20;

/** What the daemon of these tests admits. */
export const limits = { memory: 64 * MIB, upload: MIB, uploads: 6 * MIB, serialized: 8 * MIB, applyImages: 8, classifiers: 4 };

export const limitFlags = [
  ...['--max-memory-bytes', String(limits.memory)],
  ...['--max-upload-bytes', String(limits.upload)],
  ...['--max-upload-bytes-total', String(limits.uploads)],
  ...['--max-serialized-bytes', String(limits.serialized)],
  ...['--max-stored-bytes', '300000'],
  ...['--max-stored-image-bytes', '100000'],
  ...['--max-apply-images', String(limits.applyImages)],
  ...['--max-classifiers', String(limits.classifiers)],
];

/** Four images a step, one at a time in memory, that are more bytes than an upload may have. */
const largeImages = ({ client, classifier }: Situation) =>
  setParams(client, classifier, named('image_dimensions', 256n, 384n, 3n), named('batch_size', 1n), named('batch_size_multiplier', 4n));

export const limitCases: readonly Case[] = [
  {
    what: 'more bytes than an upload may have',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'upload_bytes', got: '1179648', maximum: String(limits.upload) },
    prepare: largeImages,
    act: ({ client, classifier }) => train(client, classifier, { ...batchWith({ width: 256, height: 384 }), pixels: new Uint8Array(1) }),
  },
  {
    what: 'files whose images are more bytes than an upload may have',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'upload_bytes', got: '1179648', maximum: String(limits.upload) },
    prepare: largeImages,
    act: async ({ client, classifier }) => train(client, classifier, await encodedBatch(blue(), blue(), blue(), blue())),
  },
  {
    what: 'more images than one call may classify',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'apply_images', got: '9', maximum: '8' },
    act: ({ client, classifier }) => upload(client, 'applyClassifier', applyMessages(classifier, noiseBatch({ batchSize: 9 }))),
  },
  {
    what: 'more bytes than a serialized classifier may have',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'serialized_bytes', got: '18446744073709551615', maximum: String(limits.serialized) },
    act: ({ client }) => {
      const header = { totalBytes: 2n ** 64n - 1n };
      return upload(client, 'deserializeClassifier', [{ header, data: new Uint8Array(), commit: undefined }]);
    },
  },
  {
    what: 'more bytes than all uploads together may have',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'upload_bytes_total', got: String(limits.uploads + 1), maximum: String(limits.uploads) },
    act: ({ client }) => {
      const header = { totalBytes: BigInt(limits.uploads + 1) };
      return upload(client, 'deserializeClassifier', [{ header, data: new Uint8Array(), commit: undefined }]);
    },
  },
  {
    what: 'more classifiers than may be open',
    reason: 'SERVER_BUSY',
    metadata: { limit: 'classifiers' },
    act: async ({ client }) => {
      const handles: string[] = [];
      try {
        for (let count = 0; count < limits.classifiers; count++) {
          handles.push((await call(client, 'readClassifier', { fileName: 'compact', pretrained: undefined, seed: undefined })).classifier);
        }
      } finally {
        await call(client, 'clearClassifier', { classifiers: handles });
      }
    },
  },
];
