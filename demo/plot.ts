import { type Classifier, type LabelledImages, measures, selectImages, type TrainingProgress, writeTrainingPlot } from '../client/index.js';
import type { DemoData } from './data.js';
import { evaluate } from './evaluation.js';
import type { TrainingState } from './progress.js';

/** There is a point for each of these shares of the training. */
const POINT_SHARE = 0.05;
/** Images of each set whose error a point has. */
const IMAGES = 1_000;

/** A file with the plot of a training that is under way: it has a new point from time to time. */
export class LivePlot {
  readonly #progress: TrainingProgress[] = [];
  readonly #training: LabelledImages;
  readonly #test: LabelledImages;
  #nextShare = POINT_SHARE;

  constructor(
    private readonly file: string,
    private readonly classifier: Classifier,
    private readonly data: DemoData,
    private readonly signal: AbortSignal,
  ) {
    this.#training = evenly(data.training);
    this.#test = evenly(data.test);
  }

  /** Measures the errors and draws them if it is time to. */
  async show({ share, epoch, loss, learningRate }: TrainingState): Promise<void> {
    if (share < this.#nextShare) return;
    this.#nextShare = (Math.floor(share / POINT_SHARE) + 1) * POINT_SHARE;
    const trainingError = await this.#errorOf(this.#training);
    const validationError = await this.#errorOf(this.#test);
    this.#progress.push({ epoch, trainingError, validationError, loss, learningRate });
    await writeTrainingPlot(this.file, this.#progress, { title: this.data.title });
  }

  async #errorOf(set: LabelledImages): Promise<number | null> {
    return measures(await evaluate(this.classifier, set, this.data.classes, this.signal)).top1Error;
  }
}

/** Images from all over the set. */
function evenly(set: LabelledImages): LabelledImages {
  const count = set.labels.length;
  const wanted = Math.min(IMAGES, count);
  return selectImages(
    set,
    Array.from({ length: wanted }, (_, index) => Math.floor((index * count) / wanted)),
  );
}
