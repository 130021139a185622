import { Random } from './random.js';

export interface SplitOptions<Sample> {
  /** The same seed and the same samples give the same split. */
  readonly seed: number;
  /**
   * Share of the samples for training and for validation, each 0..1; the rest is for the test.
   *
   * @default [0.7, 0.15]
   */
  readonly shares?: readonly [training: number, validation: number] | undefined;
  /**
   * Names what must stay on one side: all images of one object, of one patient, of one shift. Left out, each sample is by itself.
   */
  readonly group?: ((sample: Sample) => string) | undefined;
}

export interface Split<Sample> {
  readonly training: Sample[];
  readonly validation: Sample[];
  readonly test: Sample[];
}

/**
 * Splits samples so that each class has its share in each part (stratified), at random by the seed. Without groups each part has each
 * class's share to within one sample; groups are dealt out as wholes, the largest first, so that the shares come as near as they allow.
 * A group whose samples are of several classes counts for the class that most of them have. Each part keeps the order of the samples.
 */
export function stratifiedSplit<Sample extends { readonly label: string | number }>(
  samples: readonly Sample[],
  options: SplitOptions<Sample>,
): Split<Sample> {
  const [training, validation] = options.shares ?? [0.7, 0.15];
  const shares = [training, validation, 1 - training - validation];
  if (!shares.every((share) => share >= -1e-9 && share <= 1))
    throw new RangeError(`shares (${training}, ${validation}): give 0..1, together at most 1`);
  const random = new Random(options.seed);
  const partOf: number[] = new Array(samples.length).fill(0);
  for (const groups of groupsByClass(samples, options.group).values()) {
    const total = groups.reduce((sum, group) => sum + group.length, 0);
    const missing = shares.map((share) => share * total);
    // sort() is stable: groups of equal size stay shuffled.
    for (const group of random.shuffled(groups).sort((a, b) => b.length - a.length)) {
      const part = indexOfLargest(missing);
      missing[part] = (missing[part] as number) - group.length;
      for (const sample of group) partOf[sample] = part;
    }
  }
  const part = (wanted: number): Sample[] => samples.filter((_, index) => partOf[index] === wanted);
  return { training: part(0), validation: part(1), test: part(2) };
}

/** For each class the groups that count for it, as positions of samples. */
function groupsByClass<Sample extends { readonly label: string | number }>(
  samples: readonly Sample[],
  groupOf: ((sample: Sample) => string) | undefined,
): Map<string | number, number[][]> {
  const groups = new Map<string | number, number[]>();
  for (const [index, sample] of samples.entries()) append(groups, groupOf === undefined ? index : groupOf(sample), index);
  const byClass = new Map<string | number, number[][]>();
  for (const group of groups.values()) append(byClass, commonest(group.map((index) => (samples[index] as Sample).label)), group);
  return byClass;
}

function append<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function commonest<Key>(keys: readonly Key[]): Key {
  const counts = new Map<Key, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0];
}

function indexOfLargest(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value > (values[best] as number) ? index : best), 0);
}
