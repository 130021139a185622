import { refuse } from '../errors/refusal.js';
import { type ParameterDefinition, parameter } from './definition.js';

/** What the engine counts images with. */
const MAXIMUM = 2n ** 31n - 1n;
const RANGE = `an integer from 1 to ${MAXIMUM}`;

/** How many images a step takes. */
export const batchParameters: readonly ParameterDefinition[] = [
  parameter({
    name: 'batch_size',
    type: 'int',
    range: RANGE,
    default: "the network's",
    documentation:
      'Images on the device at once, in training and in applying. This or any other set that wants more memory than there is (a larger ' +
      'image, another precision) is refused with DEVICE_MEMORY_EXHAUSTED, which names the largest batch_size that fits: set both in one ' +
      'call. EstimateMemory tells it before.',
    get: ({ settings }) => [BigInt(settings.batchSize)],
    admits: (value) => value >= 1n && value <= MAXIMUM,
    set: (draft, [value]) => {
      draft.batchSize = Number(value);
    },
  }),
  parameter({
    name: 'batch_size_multiplier',
    type: 'int',
    range: RANGE,
    default: '1',
    documentation:
      'Sub-batches of batch_size images that make one training batch: gradients are averaged over all, one update is made. Batch norm sees ' +
      'each sub-batch by itself, so 2 x 4 images differ from 1 x 8 where there is batch norm. Training only.',
    get: ({ settings }) => [BigInt(settings.batchSizeMultiplier)],
    admits: (value) => value >= 1n && value <= MAXIMUM,
    outOfRange: (value) =>
      value < 1n
        ? refuse('INVALID_BATCH_SIZE_MULTIPLIER', { got: value })
        : refuse('WRONG_VALUE', { name: 'batch_size_multiplier', got: value, wanted: RANGE }),
    set: (draft, [value]) => {
      draft.batchSizeMultiplier = Number(value);
    },
  }),
];
