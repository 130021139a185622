/**
 * Share of the images whose true class is not among the first k of its ranking, 0..1; null without images.
 *
 * @param rankings for each image the classes by falling confidence, as `result.image(i)` has them
 * @param truth for each image its true class, named as in the rankings
 */
export function topKError<Class>(rankings: readonly (readonly Class[])[], truth: readonly Class[], k: number): number | null {
  if (rankings.length !== truth.length) throw new RangeError(`${rankings.length} rankings for ${truth.length} images`);
  if (!Number.isInteger(k) || k < 1) throw new RangeError(`k is ${k}: give an integer >= 1`);
  if (rankings.length === 0) return null;
  const wrong = rankings.filter((ranking, image) => !ranking.slice(0, k).includes(truth[image] as Class));
  return wrong.length / rankings.length;
}
