import { type LabelledImages, Random, selectImages } from '../../client/index.js';

/** How both programs train resnet18 from scratch. */
export const RECIPE = {
  /** The first so many of CIFAR-10's 50,000. */
  trainingImages: 10_000,
  /** The first so many of its 10,000 others. */
  testImages: 5_000,
  epochs: 5,
  batch: 50,
  /** Falls to 0 along half a cosine. */
  firstLearningRate: 0.05,
  momentum: 0.9,
  weightPrior: 5e-4,
} as const;

/** Each seed gives the weights, the order of the images and the mirrored ones; both programs take the same. */
export const SEEDS = [1, 2, 3] as const;

/** What one training is made of, step by step. */
export interface Schedule {
  /** Of the training set (steps, batch). */
  readonly indices: Int32Array;
  /** 1 where the image is mirrored left to right (steps, batch). */
  readonly mirrored: Uint8Array;
  /** Of each step. */
  readonly learningRates: readonly number[];
}

export function schedule(seed: number): Schedule {
  const { trainingImages, epochs, batch, firstLearningRate } = RECIPE;
  const random = new Random(seed);
  const all = Array.from({ length: trainingImages }, (_, index) => index);
  const indices = Int32Array.from(Array.from({ length: epochs }, () => random.shuffled(all)).flat());
  const mirrored = Uint8Array.from(indices, () => random.below(2));
  const steps = indices.length / batch;
  const learningRates = Array.from({ length: steps }, (_, step) => firstLearningRate * 0.5 * (1 + Math.cos((Math.PI * step) / steps)));
  return { indices, mirrored, learningRates };
}

/** The first images of a set. */
export function firstImages(set: LabelledImages, count: number): LabelledImages {
  return selectImages(
    set,
    Array.from({ length: count }, (_, index) => index),
  );
}
