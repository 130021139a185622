import type { ImageBatch, PixelFormat } from '../../native/binding.js';
import { refuse } from '../errors/refusal.js';
import type { Assignment } from '../parameters/registry.js';
import type { Settings } from '../parameters/settings.js';
import { type LabelReference, resolveLabels } from './labels.js';

/** What a caller says of images before they come. */
export interface ImagesDescription {
  /** `encoded`: image files, whose width, height and channels show when they are decoded. */
  readonly format: PixelFormat | 'encoded';
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** What a caller says of a training batch before it comes. */
export interface BatchDescription {
  readonly images: ImagesDescription;
  readonly labels: readonly LabelReference[];
  /** Steps that the caller believes to be applied; null where it does not say. */
  readonly expectedStep: bigint | null;
  /** Parameters to set right before the step, if it is applied. */
  readonly parameters: readonly Assignment[];
}

/** A batch whose bytes have all come. */
export interface CommittedBatch extends BatchDescription {
  readonly pixels: ImageBatch;
  /** From the first message of the call to its commit. */
  readonly uploadSeconds: number;
  /** performance.now() of the commit. */
  readonly committed: number;
}

/**
 * Checks a batch against the classifier as it is now: when its header comes, so that nothing is sent in vain, and again when its turn
 * comes, because other calls may have changed the classifier since.
 *
 * @returns the labels as positions in `classes`
 * @throws Refusal STEP_MISMATCH, CLASSES_NOT_SET, WRONG_IMAGE_COUNT, INVALID_LABEL and those of {@link checkImages}
 */
export function checkBatch(settings: Settings, step: number, { images, labels, expectedStep }: BatchDescription): Int32Array {
  if (expectedStep !== null && expectedStep !== BigInt(step)) throw refuse('STEP_MISMATCH', { got: expectedStep, wanted: step });
  expectClasses(settings);
  const { batchSize, batchSizeMultiplier } = settings;
  const wanted = batchSize * batchSizeMultiplier;
  if (images.count !== wanted) {
    throw refuse('WRONG_IMAGE_COUNT', {
      got: images.count,
      wanted,
      batch_size: batchSize,
      batch_size_multiplier: batchSizeMultiplier,
    });
  }
  const positions = resolveLabels(labels, settings.classes, images.count);
  checkImages(settings, images);
  return positions;
}

/** @throws Refusal CLASSES_NOT_SET */
export function expectClasses({ classes }: Settings): void {
  if (classes.length === 0) throw refuse('CLASSES_NOT_SET');
}

/** @throws Refusal WRONG_IMAGE_WIDTH, WRONG_IMAGE_HEIGHT, WRONG_IMAGE_CHANNELS: of all images, so the first is named */
export function checkImages(settings: Settings, { format, width, height, channels }: ImagesDescription): void {
  if (format === 'encoded') return;
  const { imageWidth, imageHeight, imageChannels } = settings;
  if (width !== imageWidth) throw refuse('WRONG_IMAGE_WIDTH', { image: 0, got: width, wanted: imageWidth });
  if (height !== imageHeight) throw refuse('WRONG_IMAGE_HEIGHT', { image: 0, got: height, wanted: imageHeight });
  if (channels !== imageChannels) throw refuse('WRONG_IMAGE_CHANNELS', { image: 0, got: channels, wanted: imageChannels });
}
