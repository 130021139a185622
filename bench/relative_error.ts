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
