/** The results of `work` for each item, in order, at most `maximum` at a time; the first rejection ends it. */
export async function concurrently<Item, Result>(
  maximum: number,
  items: readonly Item[],
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = new Array(items.length);
  const remaining = items.entries();
  let failed = false;
  async function worker(): Promise<void> {
    for (const [index, item] of remaining) {
      if (failed) return;
      try {
        results[index] = await work(item, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: maximum }, worker));
  return results;
}
