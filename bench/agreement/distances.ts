import { median } from '../median.js';

/** How far one program is from the truth. Each distance is ||x - truth|| / ||truth||. */
export interface Distances {
  /** Of the logarithms of the confidences, which are the logits less a constant for each image; the confidences are float32 on both sides. */
  readonly logits: number;
  /** Of each gradient tensor, for each batch. */
  readonly gradients: readonly ReadonlyMap<string, number>[];
  /** L of each step, before its update. */
  readonly losses: readonly number[];
}

/** The quantities of the table, in its order. */
export const QUANTITIES = ['logits', 'gradient, median', 'gradient, worst', 'loss after 1', 'loss after 10', 'loss after 50'] as const;
export type Quantity = (typeof QUANTITIES)[number];

/**
 * The quantities of one sequence. Of the tensors of a gradient the median and the worst, and of these the median over the batches: a value that
 * rounding carries over a kink changes one batch a hundredfold.
 *
 * @param zero tensors whose gradient is 0 but for rounding, of which there is no relative error
 * @param truth L of each step in float64
 */
export function quantities(
  { logits, gradients, losses }: Distances,
  zero: ReadonlySet<string>,
  truth: readonly number[],
): Record<Quantity, number> {
  const errors = gradients.map((batch) => [...batch].flatMap(([name, error]) => (zero.has(name) ? [] : [error])));
  const lossError = (step: number) => Math.abs((losses[step] ?? Number.NaN) / (truth[step] ?? Number.NaN) - 1);
  /** One loss may be right by chance: up to five of the last are taken together. */
  const lossesUpTo = (steps: number) => rootMeanSquare(Array.from({ length: Math.min(5, steps) }, (_, back) => lossError(steps - back)));
  return {
    logits,
    'gradient, median': median(errors.map(median)),
    'gradient, worst': median(errors.map((ofBatch) => Math.max(...ofBatch))),
    'loss after 1': lossesUpTo(1),
    'loss after 10': lossesUpTo(10),
    'loss after 50': lossesUpTo(50),
  };
}

export function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}
