import { namedValues } from '../classifier/set_params.js';
import type { TrainResult } from '../classifier/train_result.js';
import type { ImageOptions } from '../images/payload.js';
import { CallImages } from '../references/call_images.js';
import { RemoteStore } from '../references/remote_store.js';
import { withRetries } from '../transport/retry.js';
import { type AugmentationOptions, encodeAugmentation } from './augmentation.js';
import type { LabelledBatch } from './labelled_batch.js';
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
  readonly #images: CallImages;
  readonly #prepare: () => Promise<Prepared>;
  #prepared: Promise<Prepared>;
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
    const size = () => target.imageSize({ signal });
    this.#images = new CallImages(RemoteStore.of(target.connection), batch.images, { ...options, size, signal });
    this.#prepare = async () => ({
      classifier: target.classifier,
      labels: encodeLabels(batch.labels),
      params: namedValues(batch.parameters ?? {}),
      augmentation: options.augmentation === undefined ? undefined : encodeAugmentation(options.augmentation),
      payload: await withRetries(options.retries, signal, () => this.#images.payload()),
    });
    this.#prepared = this.#prepare();
    // Whoever waits for the oldest batch hears of it; the others fail because that one did.
    this.result.catch(() => {});
    this.#prepared.catch(() => {});
  }

  /** Images are decoded, or stored on the server, as soon as the batch is there. */
  get prepared(): Promise<Prepared> {
    return this.#prepared;
  }

  /** Whether refused references leave another way. */
  get mayBePreparedAgain(): boolean {
    return this.#images.hasAnotherWay;
  }

  /** After a refusal of references: to images of this batch, or of another one. */
  prepareAgain(ours: boolean): void {
    this.#images.refused(ours);
    this.#prepared = this.#prepare();
    this.#prepared.catch(() => {});
  }

  answer(result: TrainResult | null): void {
    this.#resolve(result);
  }

  fail(error: unknown): void {
    this.#reject(error);
  }
}
