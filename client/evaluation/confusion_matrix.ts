/** How often which class was predicted for which: as HALCON has it, a row for each prediction, a column for each true class. */
export interface ConfusionMatrix {
  readonly classes: readonly string[];
  /** counts[predicted][truth]. */
  readonly counts: readonly (readonly number[])[];
}

/**
 * Counts predictions against the truth. Classes that do not occur have a row and a column of zeros.
 *
 * @param predicted position of the predicted class of each image, counted from 0
 * @param truth position of its true class
 */
export function confusionMatrix(predicted: ArrayLike<number>, truth: ArrayLike<number>, classes: readonly string[]): ConfusionMatrix {
  if (predicted.length !== truth.length) throw new RangeError(`${predicted.length} predictions for ${truth.length} images`);
  const counts = classes.map(() => new Array<number>(classes.length).fill(0));
  for (let image = 0; image < predicted.length; image++) {
    const row = counts[predicted[image] as number];
    const column = truth[image] as number;
    if (row?.[column] === undefined)
      throw new RangeError(`image ${image}: class ${predicted[image]} for ${column}; there are ${classes.length}`);
    row[column]++;
  }
  return { classes, counts };
}

/** The matrix as lines of text: a column for each true class, by its number; rows with the names of the predicted classes. */
export function formatConfusionMatrix({ classes, counts }: ConfusionMatrix): string {
  const names = classes.map((name, index) => `${index} ${name}`);
  const nameWidth = Math.max('predicted \\ true'.length, ...names.map((name) => name.length));
  const cellWidth = 1 + Math.max(...counts.flat().map((count) => String(count).length), String(classes.length - 1).length);
  const line = (name: string, cells: readonly (number | string)[]): string =>
    name.padEnd(nameWidth) + cells.map((cell) => String(cell).padStart(cellWidth)).join('');
  return [
    line(
      'predicted \\ true',
      classes.map((_, index) => index),
    ),
    ...counts.map((row, index) => line(names[index] ?? '', row)),
  ].join('\n');
}
