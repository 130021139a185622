/** Images of a step. */
export const BATCH_SIZE = 100;
export const MOMENTUM = 0.9;
export const WEIGHT_PRIOR = 5e-4;

const FIRST_LEARNING_RATE = 0.1;
/** The learning rate falls in so many drops. */
const DROPS = 20;
/** On a quick machine more epochs than these would only learn the training images by heart. */
const MAXIMUM_EPOCHS = 15;

/**
 * How far training has come, 0..1: by the seconds, so that the last drop of the learning rate comes in time on any machine, or by
 * the epochs where those are all made before.
 */
export function progressOf(elapsedSeconds: number, seconds: number, epochs: number): number {
  return Math.min(1, Math.max(elapsedSeconds / seconds, epochs / MAXIMUM_EPOCHS));
}

/** Half a cosine from the first learning rate to nearly 0, in steps. */
export function learningRateAt(progress: number): number {
  const drop = Math.min(DROPS - 1, Math.floor(progress * DROPS));
  return FIRST_LEARNING_RATE * 0.5 * (1 + Math.cos((Math.PI * (drop + 0.5)) / DROPS));
}
