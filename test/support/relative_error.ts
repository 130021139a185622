/** A value beside its reference. */
export type Pair = readonly [ours: ArrayLike<number>, reference: ArrayLike<number>];

/** ||a - b|| / ||b||, in float64. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return totalRelativeError([[a, b]]);
}

/** The same over all pairs together, as if they were one vector. */
export function totalRelativeError(pairs: Iterable<Pair>): number {
  let difference = 0;
  let norm = 0;
  for (const [a, b] of pairs) {
    if (a.length !== b.length) throw new Error(`${a.length} values beside ${b.length}`);
    for (let i = 0; i < b.length; i++) {
      const reference = b[i] ?? Number.NaN;
      difference += ((a[i] ?? Number.NaN) - reference) ** 2;
      norm += reference ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}

/** Root of the mean of the squares of a[i] - b[i]. */
export function rootMeanSquareDifference(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) throw new Error(`${a.length} values beside ${b.length}`);
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] ?? Number.NaN)) ** 2, 0) / a.length);
}

/** The largest value with its name. */
export function largest(values: ReadonlyMap<string, number>): { readonly name: string; readonly value: number } {
  return [...values].reduce((worst, [name, value]) => (value > worst.value ? { name, value } : worst), { name: '', value: -1 });
}
