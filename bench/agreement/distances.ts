/** How far one program is from the truth. Each distance is ||x - truth|| / ||truth||. */
export interface Distances {
  /** Of the logarithms of the confidences, which are the logits less a constant for each image, for each batch; they are float32 on both sides. */
  readonly logits: readonly number[];
  /** Of each gradient tensor, for each batch. */
  readonly gradients: readonly ReadonlyMap<string, number>[];
  readonly losses: Losses;
}

/** What losses came out; of the truth, too. */
export interface Losses {
  /** L of the next batch after one step from the initial weights on each batch. */
  readonly afterOneStep: readonly number[];
  /** L of each step of a training, before its update; empty where there was none. */
  readonly training: readonly number[];
}

/** The quantities of the table, in its order. */
export const QUANTITIES = ['logits', 'gradient', 'gradient, worst tensor', 'loss after 1', 'loss after 10', 'loss after 50'] as const;
export type Quantity = (typeof QUANTITIES)[number];

/** Losses of which one is made: a single one may be right by chance. */
const LAST_LOSSES = 5;

/**
 * The error of each quantity in one sequence; null where it was not measured. Of many errors the geometric mean is taken, as a value that rounding
 * carries over a kink changes one batch a hundredfold; of losses, which cross the truth and may be right by chance, the root mean square.
 *
 * @param zero tensors whose gradient is 0 but for rounding, of which there is no relative error
 * @param truth losses in float64
 */
export function quantities(
  { logits, gradients, losses }: Distances,
  zero: ReadonlySet<string>,
  truth: Losses,
): Record<Quantity, number | null> {
  const tensors = gradients.map((batch) => [...batch].flatMap(([name, error]) => (zero.has(name) ? [] : [error])));
  const lossErrors = (of: keyof Losses) => losses[of].map((loss, index) => loss / (truth[of][index] ?? Number.NaN) - 1);
  const training = lossErrors('training');
  const after = (steps: number) => (steps < training.length ? rootMeanSquare(training.slice(steps - LAST_LOSSES + 1, steps + 1)) : null);
  return {
    logits: geometricMean(logits),
    gradient: geometricMean(tensors.flat()),
    'gradient, worst tensor': geometricMean(tensors.map((ofBatch) => Math.max(...ofBatch))),
    'loss after 1': rootMeanSquare(lossErrors('afterOneStep')),
    'loss after 10': after(10),
    'loss after 50': after(50),
  };
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}
