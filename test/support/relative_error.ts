export { type Pair, relativeError, totalRelativeError } from '../../bench/relative_error.js';

/** Root of the mean of the squares of a[i] - b[i]. */
export function rootMeanSquareDifference(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) throw new Error(`${a.length} values beside ${b.length}`);
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] ?? Number.NaN)) ** 2, 0) / a.length);
}

/** The largest value with its name. */
export function largest(values: ReadonlyMap<string, number>): { readonly name: string; readonly value: number } {
  return [...values].reduce((worst, [name, value]) => (value > worst.value ? { name, value } : worst), { name: '', value: -1 });
}
