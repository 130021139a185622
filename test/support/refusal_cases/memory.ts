import type { EstimateMemoryRequest } from '../../../generated/dlclassifier/v1/memory.js';
import { call } from '../calls.js';
import { named } from '../wire.js';
import type { Case, Situation } from './case.js';

/** Asks for the memory of the situation's classifier, with what `request` changes. */
const estimate = ({ client, classifier }: Situation, request: Partial<EstimateMemoryRequest>) =>
  call(client, 'estimateMemory', {
    subject: { $case: 'classifier', value: classifier },
    params: [],
    classCount: undefined,
    purpose: 0,
    budgetBytes: undefined,
    ...request,
  });

export const memoryCases: readonly Case[] = [
  {
    what: 'the memory of nothing',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'subject' },
    act: (s) => estimate(s, { subject: undefined }),
  },
  {
    what: 'the memory of a network that there is not',
    reason: 'FILE_NOT_FOUND',
    metadata: { file_name: 'vgg16' },
    act: (s) => estimate(s, { subject: { $case: 'network', value: 'vgg16' } }),
  },
  {
    what: 'the memory of a classifier that there is not',
    reason: 'UNKNOWN_HANDLE',
    metadata: { handle_kind: 'classifier' },
    act: (s) => estimate(s, { subject: { $case: 'classifier', value: 'x' } }),
  },
  {
    what: 'the memory for images that are too small',
    reason: 'IMAGE_SIZE_TOO_SMALL',
    metadata: { name: 'image_width', got: '14', minimum: '15' },
    act: (s) => estimate(s, { params: [named('image_dimensions', 14n, 20n, 3n)] }),
  },
  {
    what: 'the memory for no class',
    reason: 'WRONG_VALUE',
    metadata: { name: 'class_count', got: '0' },
    act: (s) => estimate(s, { classCount: 0 }),
  },
  {
    what: 'the memory for classes and for another number of classes',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'class_count' },
    act: (s) => estimate(s, { params: [named('classes', 'x', 'y')], classCount: 3 }),
  },
  {
    what: 'memory for a purpose that there is not',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'purpose' },
    act: (s) => estimate(s, { purpose: 99 as never }),
  },
  {
    what: 'memory that cannot be counted',
    reason: 'DEVICE_MEMORY_EXHAUSTED',
    metadata: { largest_batch_size: '0', bytes: /^\d+$/ },
    act: (s) => estimate(s, { params: [named('image_dimensions', 32_768n, 32_768n, 3n), named('batch_size', 2_000_000_000n)] }),
  },
];
