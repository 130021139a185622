import type { ConfusionMatrix } from './confusion_matrix.js';

/** Measures of one class. Null where one is not defined, as the precision of a class that was never predicted. */
export interface ClassMeasures {
  readonly className: string;
  /** Images of the class. */
  readonly imageCount: number;
  /** TP / (TP + FP): of the images predicted as this class, the share that is. */
  readonly precision: number | null;
  /** TP / (TP + FN): of the images of this class, the share that was found. */
  readonly recall: number | null;
  /** 2 TP / (2 TP + FP + FN), the harmonic mean of both. */
  readonly fScore: number | null;
}

/** Measures of a classifier; the means are over the classes of which the measure is defined (macro means). */
export interface Measures {
  /** Share of the images whose predicted class is not the true one; null without images. */
  readonly top1Error: number | null;
  readonly meanPrecision: number | null;
  readonly meanRecall: number | null;
  readonly meanFScore: number | null;
  readonly classes: readonly ClassMeasures[];
}

/** Precision, recall and F-score of each class and on the mean. A class that neither occurs nor is predicted counts for nothing. */
export function measures({ classes, counts }: ConfusionMatrix): Measures {
  const perClass = classes.map((className, index): ClassMeasures => {
    const truePositives = counts[index]?.[index] ?? 0;
    const predicted = sum(counts[index] ?? []);
    const imageCount = sum(counts.map((row) => row[index] ?? 0));
    return {
      className,
      imageCount,
      precision: ratio(truePositives, predicted),
      recall: ratio(truePositives, imageCount),
      fScore: ratio(2 * truePositives, predicted + imageCount),
    };
  });
  const total = sum(counts.flat());
  const correct = sum(counts.map((row, index) => row[index] ?? 0));
  return {
    top1Error: ratio(total - correct, total),
    meanPrecision: mean(perClass.map(({ precision }) => precision)),
    meanRecall: mean(perClass.map(({ recall }) => recall)),
    meanFScore: mean(perClass.map(({ fScore }) => fScore)),
    classes: perClass,
  };
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function mean(values: readonly (number | null)[]): number | null {
  const defined = values.filter((value) => value !== null);
  return ratio(sum(defined), defined.length);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
