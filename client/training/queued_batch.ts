import { namedValues } from '../classifier/set_params.js';
import type { TrainResult } from '../classifier/train_result.js';
import { type ImageOptions, imagePayload } from '../images/payload.js';
import { type AugmentationOptions, encodeAugmentation } from './augmentation.js';
import type { LabelledBatch } from './labelled_batch.js';
import { withRetries } from './retry.js';
import { encodeLabels, type StepCall } from './step_call.js';
import type { StepTarget } from './train_batch.js';

export interface BatchOptions extends ImageOptions, AugmentationOptions {
  readonly retries: number;
}

/** A batch that can be sent. */
export type Prepared = Omit<StepCall, 'requestId' | 'expectedStep'>;

/** A batch of a stream, held until it is answered: a lost connection may ask for it once more. */
export class QueuedBatch {
  /** Settles when the batch is answered; null where it was refused and the stream goes on. */
  readonly result: Promise<TrainResult | null>;
  /** Decodes the images as soon as the batch is there. */
  readonly prepared: Promise<Prepared>;
  /** Whether the server may have all of it. */
  sent = false;
  #resolve: (result: TrainResult | null) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /**
   * @param number its position in the stream, counted from 0
   * @param requestId names it for good
   */
  constructor(
    readonly number: number,
    readonly requestId: string,
    batch: LabelledBatch,
    target: StepTarget,
    options: BatchOptions,
    signal: AbortSignal,
  ) {
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.prepared = prepare(batch, target, options, signal);
    // Whoever waits for the oldest batch hears of it; the others fail because that one did.
    this.result.catch(() => {});
    this.prepared.catch(() => {});
  }

  answer(result: TrainResult | null): void {
    this.#resolve(result);
  }

  fail(error: unknown): void {
    this.#reject(error);
  }
}

async function prepare(batch: LabelledBatch, target: StepTarget, options: BatchOptions, signal: AbortSignal): Promise<Prepared> {
  const size = () => withRetries(options.retries, signal, () => target.imageSize({ signal }));
  return {
    classifier: target.classifier,
    labels: encodeLabels(batch.labels),
    params: namedValues(batch.parameters ?? {}),
    augmentation: options.augmentation === undefined ? undefined : encodeAugmentation(options.augmentation),
    payload: await imagePayload(batch.images, size, options, signal),
  };
}
