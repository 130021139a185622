/** How far one program is from the truth. Each distance is ||x - truth|| / ||truth||. */
export interface Distances {
  /** Of the logarithms of the confidences, which are the logits less a constant for each image. */
  readonly logits: number;
  /** Of each gradient tensor, for each batch. */
  readonly gradients: readonly ReadonlyMap<string, number>[];
  /** L of each step. */
  readonly losses: readonly number[];
}

/** The quantities of the table, in its order. */
export const QUANTITIES = ['logits', 'gradient, median', 'gradient, worst', 'loss after 1', 'loss after 10', 'loss after 50'] as const;
export type Quantity = (typeof QUANTITIES)[number];

/**
 * The quantities of one sequence. Of the tensors of a gradient the median and the worst, and of these the root mean square over the batches.
 *
 * @param zero tensors whose gradient is 0 but for rounding, of which there is no relative error
 * @param truth L of each step in float64
 */
export function quantities(
  { logits, gradients, losses }: Distances,
  zero: ReadonlySet<string>,
  truth: readonly number[],
): Record<Quantity, number> {
  const sorted = gradients.map((batch) => [...batch].flatMap(([name, error]) => (zero.has(name) ? [] : [error])).sort((a, b) => a - b));
  const lossError = (step: number) => Math.abs((losses[step] ?? Number.NaN) / (truth[step] ?? Number.NaN) - 1);
  return {
    logits,
    'gradient, median': rootMeanSquare(sorted.map((errors) => errors[Math.floor(errors.length / 2)] ?? Number.NaN)),
    'gradient, worst': rootMeanSquare(sorted.map((errors) => errors.at(-1) ?? Number.NaN)),
    'loss after 1': lossError(1),
    'loss after 10': lossError(10),
    'loss after 50': lossError(50),
  };
}

export function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}
