import { Random } from './random.js';

/**
 * One epoch: the samples in random order, cut into batches; the remainder, too few for a batch, is dropped.
 *
 * @param epoch number of the epoch; each has an order of its own
 * @example for (const batch of shuffledBatches(training, 32, { seed: 1, epoch })) ...
 */
export function* shuffledBatches<Sample>(
  samples: readonly Sample[],
  batchSize: number,
  { seed, epoch }: { readonly seed: number; readonly epoch: number },
): Generator<Sample[], void, undefined> {
  if (!Number.isInteger(batchSize) || batchSize < 1) throw new RangeError(`batch size is ${batchSize}: give an integer >= 1`);
  // An odd factor, so that neighbouring seeds and epochs do not meet.
  const order = new Random(Math.imul(seed, 0x9e3779b1) + epoch).shuffled(samples);
  for (let start = 0; start + batchSize <= order.length; start += batchSize) yield order.slice(start, start + batchSize);
}
