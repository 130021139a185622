import { standardDeviation } from '../accuracy/statistics.js';
import { geometricMean } from './distances.js';

/** A ratio of errors, and between which bounds it lies with a probability of 95 %, as far as the scatter of the sequences tells: 0 and infinity where it does not. */
export interface Ratio {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

/** Two may lie side by side by chance. */
const LEAST_SEQUENCES = 3;
/** Student's t for 95 %, both sides, by degrees of freedom from those of the least sequences on. */
const STUDENT_T = [4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262] as const;

/**
 * The geometric mean of the ratios of paired errors. Both programs met the same weights and images, so that what is hard about a sequence
 * cancels; logarithms of errors scatter about alike, so that Student's interval holds for their mean.
 */
export function errorRatio(ours: readonly number[], theirs: readonly number[]): Ratio {
  const ratios = ours.map((error, index) => error / (theirs[index] ?? Number.NaN));
  const ratio = geometricMean(ratios);
  const t = STUDENT_T[ratios.length - LEAST_SEQUENCES];
  if (t === undefined) return { ratio, low: 0, high: Number.POSITIVE_INFINITY };
  const factor = Math.exp((t * standardDeviation(ratios.map(Math.log))) / Math.sqrt(ratios.length));
  return { ratio, low: ratio / factor, high: ratio * factor };
}
