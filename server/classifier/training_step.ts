import type { Model } from '../../native/binding.js';
import type { Settings } from '../parameters/settings.js';
import type { CommittedBatch } from './admission.js';
import type { Life } from './life.js';
import { trainOptions } from './plan.js';
import type { Residence } from './residence.js';
import type { TrainResult } from './train_result.js';

/** A step whose turn has come. */
export interface TrainingStep {
  readonly batch: CommittedBatch;
  /** Positions in `classes`. */
  readonly labels: Int32Array;
  /** With the parameters that the batch brings. */
  readonly settings: Settings;
  /** Steps applied before this one. */
  readonly stepsBefore: number;
}

/** Makes one optimisation step; it is applied when the promise resolves, and not at all when it rejects. */
export async function trainStep(
  residence: Residence,
  life: Life,
  { batch, labels, settings, stepsBefore }: TrainingStep,
): Promise<TrainResult> {
  const { committed, uploadSeconds, pixels } = batch;
  const waitSeconds = (performance.now() - committed) / 1000;
  const grant = await life.during(() => residence.grantWork('training', settings));
  try {
    const options = trainOptions(settings, stepsBefore);
    life.take('step_begins');
    const train = (model: Model) => model.train(pixels, labels, options);
    const result = await life.during(() => residence.work('training', settings, train));
    return { ...result, step: stepsBefore + 1, learningRate: settings.learningRate, uploadSeconds, waitSeconds };
  } finally {
    grant.release();
    if (life.state === 'training') life.take('step_ends');
  }
}
