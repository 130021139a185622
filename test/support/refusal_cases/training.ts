import { call } from '../calls.js';
import { CLASSES, noiseBatch } from '../classifier.js';
import { named, setParams, train } from '../wire.js';
import { batchWith, labelled, trainWithHeader } from './bad_batches.js';
import type { Case } from './case.js';

export const trainingCases: readonly Case[] = [
  {
    what: 'training without classes',
    reason: 'CLASSES_NOT_SET',
    metadata: {},
    act: async ({ client }) => {
      const { classifier } = await call(client, 'readClassifier', { fileName: 'compact', pretrained: undefined, seed: undefined });
      return train(client, classifier).finally(() => call(client, 'clearClassifier', { classifiers: [classifier] }));
    },
  },
  {
    what: 'a class that there is not',
    reason: 'INVALID_LABEL',
    metadata: { image: '1', got: '"middle"', wanted: 'one of classes' },
    act: ({ client, classifier }) => train(client, classifier, labelled({ $case: 'name', value: 'middle' })),
  },
  {
    what: 'an index beyond the classes',
    reason: 'INVALID_LABEL',
    metadata: { image: '1', got: '3', wanted: 'a name, or a position from 0 to 2' },
    act: ({ client, classifier }) => train(client, classifier, labelled({ $case: 'index', value: 3 })),
  },
  {
    what: 'a negative index',
    reason: 'INVALID_LABEL',
    metadata: { image: '1', got: '-1', wanted: 'a name, or a position from 0 to 2' },
    act: ({ client, classifier }) => train(client, classifier, labelled({ $case: 'index', value: -1 })),
  },
  {
    what: 'a label that is left out',
    reason: 'INVALID_LABEL',
    metadata: { image: '1', got: 'left out' },
    act: ({ client, classifier }) => train(client, classifier, labelled(undefined)),
  },
  {
    what: 'fewer labels than images',
    reason: 'INVALID_LABEL',
    metadata: { got_count: '3', wanted_count: '4' },
    act: ({ client, classifier }) => train(client, classifier, { ...noiseBatch(), labels: noiseBatch().labels.slice(1) }),
  },
  {
    what: 'fewer images than a batch has',
    reason: 'WRONG_IMAGE_COUNT',
    metadata: { got: '3', wanted: '4', batch_size: '4', batch_size_multiplier: '1' },
    act: ({ client, classifier }) => train(client, classifier, noiseBatch({ batchSize: 3 })),
  },
  {
    what: 'as many images as one sub-batch has',
    reason: 'WRONG_IMAGE_COUNT',
    metadata: { got: '4', wanted: '8', batch_size: '4', batch_size_multiplier: '2' },
    prepare: ({ client, classifier }) => setParams(client, classifier, named('batch_size_multiplier', 2n)),
    act: ({ client, classifier }) => train(client, classifier),
  },
  {
    what: 'no images',
    reason: 'WRONG_IMAGE_COUNT',
    metadata: { got: '0', wanted: '4', batch_size: '4', batch_size_multiplier: '1' },
    act: ({ client, classifier }) => train(client, classifier, { ...batchWith({ imageCount: 0 }), pixels: new Uint8Array(), labels: [] }),
  },
  {
    what: 'a step that diverges',
    reason: 'STEP_DIVERGED',
    metadata: { loss: /./, gradient_norm: /./ },
    prepare: ({ client, classifier }) => setParams(client, classifier, named('learning_rate', 1e30)),
    act: async ({ client, classifier }) => {
      await train(client, classifier);
      return train(client, classifier);
    },
  },
  {
    what: 'a batch that does not fit into the memory',
    reason: 'DEVICE_MEMORY_EXHAUSTED',
    metadata: { largest_batch_size: /^[1-9]\d$/, bytes: /^\d+$/ },
    act: async ({ client }) => {
      // The network's own batch size, which no set has asked for.
      const { classifier } = await call(client, 'readClassifier', { fileName: 'compact', pretrained: undefined, seed: undefined });
      try {
        await setParams(client, classifier, named('classes', ...CLASSES), named('image_dimensions', 40n, 40n, 3n));
        return await train(client, classifier, noiseBatch({ size: 40, batchSize: 160 }));
      } finally {
        await call(client, 'clearClassifier', { classifiers: [classifier] });
      }
    },
  },
  {
    what: 'a batch for another step',
    reason: 'STEP_MISMATCH',
    metadata: { got: '0', wanted: '1' },
    act: (s) => trainWithHeader(s, { expectedStep: 0n }),
  },
  {
    what: 'a batch for a step that never comes',
    reason: 'STEP_MISMATCH',
    metadata: { got: '2', wanted: '1' },
    act: (s) => trainWithHeader(s, { expectedStep: 2n }),
  },
  {
    what: 'a request id that is too long',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'request_id', problem: /129 characters/ },
    act: (s) => trainWithHeader(s, { requestId: 'x'.repeat(129) }),
  },
];
