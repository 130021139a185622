import { call } from '../calls.js';
import { getParams, named, setParams } from '../wire.js';
import type { Case } from './case.js';

export const parameterCases: readonly Case[] = [
  {
    what: 'a parameter that there is not',
    reason: 'UNKNOWN_PARAMETER',
    metadata: { name: 'learning_rat', problem: /no such parameter; those to set are classes, / },
    act: ({ client, classifier }) => setParams(client, classifier, named('momentum', 0.5), named('learning_rat', 0.1)),
  },
  {
    what: 'a parameter that can only be read',
    reason: 'UNKNOWN_PARAMETER',
    metadata: { name: 'step', problem: /can be read, but not set/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('momentum', 0.5), named('step', 0n)),
  },
  {
    what: 'a parameter that can only be set',
    reason: 'UNKNOWN_PARAMETER',
    metadata: { name: 'runtime_init', problem: /can be set, but not read/ },
    act: ({ client, classifier }) => getParams(client, classifier, 'momentum', 'runtime_init'),
  },
  {
    what: 'a train result that there is not',
    reason: 'UNKNOWN_PARAMETER',
    metadata: { name: 'accuracy', problem: /there are loss, / },
    act: ({ client, trainResult }) => call(client, 'getTrainResult', { trainResult, names: ['loss', 'accuracy'] }),
  },
  {
    what: 'a value of the wrong type',
    reason: 'WRONG_TYPE',
    metadata: { name: 'batch_size', got: 'a real number', wanted: 'an integer' },
    act: ({ client, classifier }) => setParams(client, classifier, named('momentum', 0.5), named('batch_size', 4)),
  },
  {
    what: 'a value that is left out',
    reason: 'WRONG_TYPE',
    metadata: { name: 'batch_size', got: 'a value that is left out', wanted: 'a value' },
    act: ({ client, classifier }) => setParams(client, classifier, { name: 'batch_size', values: [{ value: undefined }] }),
  },
  {
    what: 'a value out of its range, after others that are allowed',
    reason: 'WRONG_VALUE',
    metadata: { name: 'momentum', got: '1', wanted: 'a number in [0, 1)' },
    act: ({ client, classifier }) =>
      setParams(client, classifier, named('classes', 'x', 'y'), named('image_dimensions', 20n, 20n, 1n), named('momentum', 1)),
  },
  {
    what: 'a solver that there is not, after other parameters of solvers',
    reason: 'WRONG_VALUE',
    metadata: { name: 'solver_type', got: 'rmsprop', wanted: "'sgd' or 'adam'" },
    act: ({ client, classifier }) =>
      setParams(client, classifier, named('adam_beta1', 0.5), named('weight_decay', 0.1), named('solver_type', 'rmsprop')),
  },
  {
    what: 'a momentum of batch norms that would never move them, after another solver',
    reason: 'WRONG_VALUE',
    metadata: { name: 'batch_norm_momentum', got: '0', wanted: 'a number in (0, 1]' },
    act: ({ client, classifier }) => setParams(client, classifier, named('solver_type', 'adam'), named('batch_norm_momentum', 0)),
  },
  {
    what: 'a limit of the gradient that is none',
    reason: 'WRONG_VALUE',
    metadata: { name: 'max_gradient_norm', got: '-1', wanted: 'a finite number >= 0' },
    act: ({ client, classifier }) => setParams(client, classifier, named('max_gradient_norm', -1)),
  },
  {
    what: 'a pattern of layers that matches none, after one that does',
    reason: 'WRONG_VALUE',
    metadata: {
      name: 'freeze',
      got: 'layer1.*',
      wanted: /^a pattern that matches a layer with weights: block1\.conv, block1\.bn, .*, classifier$/,
    },
    act: ({ client, classifier }) => setParams(client, classifier, named('freeze', 'block1.*', 'layer1.*')),
  },
  {
    what: 'patterns of layers that leave none to train',
    reason: 'WRONG_VALUE',
    metadata: { name: 'freeze', got: '*', wanted: /^patterns that leave a layer to train, of block1\.conv, / },
    act: ({ client, classifier }) => setParams(client, classifier, named('freeze', '*')),
  },
  {
    what: 'class weights of other classes than there are',
    reason: 'WRONG_VALUE_COUNT',
    metadata: { name: 'class_weights', got: '2', wanted: '0 or 3, one for each class' },
    act: ({ client, classifier }) => setParams(client, classifier, named('solver_type', 'adam'), named('class_weights', 1, 2)),
  },
  {
    what: 'class weights of another type',
    reason: 'WRONG_TYPE',
    metadata: { name: 'class_weights', got: 'a string', wanted: 'a real number' },
    act: ({ client, classifier }) => setParams(client, classifier, named('class_weights', 1, 'two', 3)),
  },
  {
    what: 'a precision of a GPU',
    reason: 'WRONG_VALUE',
    metadata: { name: 'precision', got: 'tf32', wanted: /^float32( or bfloat16)?$/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('precision', 'tf32')),
  },
  {
    what: 'another device than there is',
    reason: 'WRONG_VALUE',
    metadata: { name: 'gpu', got: '1', wanted: '0' },
    act: ({ client, classifier }) => setParams(client, classifier, named('gpu', 1n)),
  },
  {
    what: 'too few values',
    reason: 'WRONG_VALUE_COUNT',
    metadata: { name: 'image_dimensions', got: '2', wanted: '3' },
    act: ({ client, classifier }) => setParams(client, classifier, named('image_dimensions', 32n, 32n)),
  },
  {
    what: 'no sub-batch',
    reason: 'INVALID_BATCH_SIZE_MULTIPLIER',
    metadata: { got: '0' },
    act: ({ client, classifier }) => setParams(client, classifier, named('batch_size_multiplier', 0n)),
  },
  {
    what: 'a class twice',
    reason: 'DUPLICATE_CLASSES',
    metadata: { class: 'a', first_index: '0', second_index: '2' },
    act: ({ client, classifier }) => setParams(client, classifier, named('classes', 'a', 'b', 'a')),
  },
  {
    what: 'an image too narrow for the network',
    reason: 'IMAGE_SIZE_TOO_SMALL',
    metadata: { name: 'image_width', got: '14', minimum: '15' },
    act: ({ client, classifier }) => setParams(client, classifier, named('image_width', 14n)),
  },
  {
    what: 'an image too low for the network',
    reason: 'IMAGE_SIZE_TOO_SMALL',
    metadata: { name: 'image_height', got: '3', minimum: '15' },
    act: ({ client, classifier }) => setParams(client, classifier, named('image_dimensions', 32n, 3n, 3n)),
  },
  {
    what: 'two channels',
    reason: 'UNSUPPORTED_CHANNELS',
    metadata: { got: '2' },
    act: ({ client, classifier }) => setParams(client, classifier, named('image_num_channels', 2n)),
  },
  {
    what: 'from one channel back to three',
    reason: 'CHANNELS_NOT_EXTENDABLE',
    metadata: {},
    prepare: ({ client, classifier }) => setParams(client, classifier, named('image_num_channels', 1n)),
    act: ({ client, classifier }) => setParams(client, classifier, named('image_num_channels', 3n)),
  },
  {
    what: 'a parameter twice in one call',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'params', problem: /momentum is named twice/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('momentum', 0.5), named('momentum', 0.6)),
  },
  {
    what: 'a batch size that does not fit into the memory, together with other classes',
    reason: 'DEVICE_MEMORY_EXHAUSTED',
    metadata: { largest_batch_size: /^[1-9]\d*$/, bytes: /^\d+$/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('classes', 'x', 'y'), named('batch_size', 1_000_000_000n)),
  },
  {
    what: 'images so large that the batch does not fit into the memory any more',
    reason: 'DEVICE_MEMORY_EXHAUSTED',
    metadata: { largest_batch_size: /^[123]$/, bytes: /^\d+$/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('momentum', 0.5), named('image_dimensions', 256n, 256n, 3n)),
  },
  {
    what: 'images of which not even one fits into the memory, together with one channel',
    reason: 'DEVICE_MEMORY_EXHAUSTED',
    metadata: { largest_batch_size: '0', bytes: /^\d+$/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('image_dimensions', 32_768n, 32_768n, 1n)),
  },
  {
    what: 'so many classes that the weights do not fit into the memory',
    reason: 'DEVICE_MEMORY_EXHAUSTED',
    metadata: { largest_batch_size: '0', bytes: /^\d+$/ },
    act: ({ client, classifier }) => {
      const classes = Array.from({ length: 100_000 }, (_, index) => index.toString(36));
      return setParams(client, classifier, named('classes', ...classes));
    },
  },
  {
    what: 'a GPU',
    reason: 'NO_GPU',
    metadata: { problem: /CUDA backend|driver/, remedy: /leave runtime at 'cpu'/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('runtime', 'gpu')),
  },
];
