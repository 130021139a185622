import { randomUUID } from 'node:crypto';
import { TrainResult } from '../classifier/train_result.js';
import type { ImageSize, Images } from '../images/image.js';
import type { ImageOptions } from '../images/payload.js';
import { CallImages } from '../references/call_images.js';
import { RemoteStore } from '../references/remote_store.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { type RepeatableCallOptions, repeatable } from '../transport/retry.js';
import { type AugmentationOptions, encodeAugmentation } from './augmentation.js';
import { encodeLabels, type Label, sendStep } from './step_call.js';

export interface TrainBatchOptions extends RepeatableCallOptions, ImageOptions, AugmentationOptions {
  /**
   * Names this step for good: a repeated call with the same id gives the first call's result and trains nothing. At most 128 characters.
   *
   * @default a new UUID, which makes `retries` safe
   */
  readonly requestId?: string | undefined;
  /** Steps that the classifier must have made; else the call is refused with StepMismatchError. */
  readonly expectedStep?: number | undefined;
}

/** The classifier that a step is made on. */
export interface StepTarget {
  readonly connection: Connection;
  readonly classifier: string;
  readonly imageSize: (options: CallOptions) => Promise<ImageSize>;
}

export async function trainBatch(
  target: StepTarget,
  images: Images,
  labels: ArrayLike<Label>,
  options: TrainBatchOptions,
): Promise<TrainResult> {
  const { signal, timeoutMs } = options;
  signal?.throwIfAborted();
  const size = () => target.imageSize({ signal, timeoutMs });
  const callImages = new CallImages(RemoteStore.of(target.connection), images, { ...options, size });
  const step = {
    classifier: target.classifier,
    labels: encodeLabels(labels),
    requestId: options.requestId ?? randomUUID(),
    expectedStep: options.expectedStep,
    params: [],
    augmentation: options.augmentation === undefined ? undefined : encodeAugmentation(options.augmentation),
  };
  const response = await repeatable(options, () =>
    callImages.send((payload) => sendStep(target.connection, { ...step, payload }, { signal, timeoutMs })),
  );
  return new TrainResult(target.connection, response);
}
