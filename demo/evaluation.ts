import { type Classifier, type ConfusionMatrix, confusionMatrix, type LabelledImages, selectImages } from '../client/index.js';

/** Images of one call: their result is one message. */
const IMAGES_AT_ONCE = 2_000;

/** Classifies all images of a set and counts what was taken for what. */
export async function evaluate(
  classifier: Classifier,
  set: LabelledImages,
  classes: readonly string[],
  signal: AbortSignal,
): Promise<ConfusionMatrix> {
  const predicted: number[] = [];
  const indices = [...set.labels.keys()];
  for (let start = 0; start < indices.length; start += IMAGES_AT_ONCE) {
    const { images } = selectImages(set, indices.slice(start, start + IMAGES_AT_ONCE));
    await using result = await classifier.apply(images, { signal });
    for (const { classId } of await result.all({ signal })) predicted.push(classId);
  }
  return confusionMatrix(predicted, set.labels, classes);
}

/** One line for each of these images, classified one at a time: the best class, the next one, the true class. */
export async function classifySingly(
  classifier: Classifier,
  set: LabelledImages,
  indices: readonly number[],
  classes: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const lines: string[] = [];
  for (const index of indices) {
    const { images, labels } = selectImages(set, [index]);
    await using result = await classifier.apply(images, { signal });
    const [best, next] = await result.image(0, { signal });
    const guesses = [best, next].map((guess) => `${guess?.className} ${((guess?.confidence ?? 0) * 100).toFixed(1)} %`.padEnd(20));
    lines.push(`test image ${String(index).padStart(4)}: ${guesses.join('')}truth: ${classes[labels[0] ?? 0]}`);
  }
  return lines;
}
