import {
  type Classifier,
  type LabelledBatch,
  type LabelledImages,
  mirrorColumns,
  Random,
  selectImages,
  shuffledBatches,
} from '../client/index.js';
import type { DemoData } from './data.js';
import type { TrainingState } from './progress.js';
import { BATCH_SIZE, learningRateAt, progressOf } from './recipe.js';

export interface TrainingOptions {
  /** Seconds that it may take. */
  readonly seconds: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Sees the training as it goes; the next steps wait for it. */
  readonly watch: (state: TrainingState) => Promise<void>;
}

/** What a training came to. */
export interface TrainingReport {
  readonly seconds: number;
  readonly steps: number;
  readonly imagesPerSecond: number;
}

/** Streams batches until the time is up. */
export async function train(classifier: Classifier, data: DemoData, options: TrainingOptions): Promise<TrainingReport> {
  const clock = new Clock(data.training.labels.length, options.seconds);
  const batches = endlessBatches(data, options.seed, clock);
  let steps = 0;
  let loss = 0;
  for await (const result of classifier.trainBatches(batches, { signal: options.signal })) {
    steps++;
    // The mean over about 50 steps: the loss of one batch jumps.
    loss = steps === 1 ? result.loss : loss + (result.loss - loss) / Math.min(steps, 50);
    const seconds = clock.seconds();
    await options.watch({
      share: clock.progress(),
      step: steps,
      epoch: clock.epochs(steps),
      loss,
      learningRate: learningRateAt(clock.progress()),
      imagesPerSecond: (steps * BATCH_SIZE) / seconds,
      secondsLeft: secondsLeft(clock.progress(), seconds, options.seconds),
    });
  }
  const seconds = clock.seconds();
  return { seconds, steps, imagesPerSecond: (steps * BATCH_SIZE) / seconds };
}

/** Epoch after epoch until the clock has run down; the learning rate changes exactly between two batches. */
function* endlessBatches(data: DemoData, seed: number, clock: Clock): Generator<LabelledBatch, void, undefined> {
  const random = new Random(seed);
  const indices = [...data.training.labels.keys()];
  let learningRate = Number.NaN;
  let made = 0;
  for (let epoch = 0; ; epoch++) {
    for (const batch of shuffledBatches(indices, BATCH_SIZE, { seed, epoch })) {
      if (clock.progress() >= 1) return;
      clock.made = ++made;
      const { images, labels } = augmented(data, batch, random);
      const next = learningRateAt(clock.progress());
      yield { images, labels, parameters: next === learningRate ? undefined : { learning_rate: next } };
      learningRate = next;
    }
  }
}

function augmented(data: DemoData, batch: readonly number[], random: Random): LabelledImages {
  const selected = selectImages(data.training, batch);
  if (data.mirrored) mirrorColumns(selected.images, () => random.below(2) === 1);
  return selected;
}

/** Time and epochs since the training began. */
class Clock {
  /** Batches given out. */
  made = 0;
  readonly #start = performance.now();

  constructor(
    private readonly images: number,
    private readonly budgetSeconds: number,
  ) {}

  seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  epochs(batches: number): number {
    return (batches * BATCH_SIZE) / this.images;
  }

  progress(): number {
    return progressOf(this.seconds(), this.budgetSeconds, this.epochs(this.made));
  }
}

function secondsLeft(progress: number, seconds: number, budget: number): number {
  return Math.max(0, Math.min(budget - seconds, progress === 0 ? budget : (seconds / progress) * (1 - progress)));
}
