import { type Augmentation as AugmentationMessage, AugmentationMode, MirrorAxes } from '../../generated/dlclassifier/v1/augmentation.js';
import type { Augmentation, ImageBatch, StagingBuffer } from '../../native/binding.js';
import type { ImagesDescription } from '../classifier/admission.js';
import { refuse } from '../errors/refusal.js';
import type { ImageShape } from './decode.js';
import { prepareAll } from './pool.js';

/** How a batch is to be varied; `counter` is null until it is known. */
export type AugmentationRequest = Omit<Augmentation, 'counter'> & { readonly counter: bigint | null };

/** Degrees: so that the multiples between 0 and 360 can be counted. */
const LEAST_STEP = 0.001;

const MIRRORS: Readonly<Record<MirrorAxes, Augmentation['mirror']>> = {
  [MirrorAxes.MIRROR_AXES_UNSPECIFIED]: null,
  [MirrorAxes.MIRROR_AXES_ROWS]: 'r',
  [MirrorAxes.MIRROR_AXES_COLUMNS]: 'c',
  [MirrorAxes.MIRROR_AXES_ROWS_AND_COLUMNS]: 'rc',
};

/**
 * Checks what a header asks for.
 *
 * @param images that come with it
 * @param size of the images that are varied
 * @throws Refusal INVALID_REQUEST
 */
export function augmentationRequest(
  message: AugmentationMessage,
  images: Pick<ImagesDescription, 'format'>,
  size: Pick<ImageShape, 'width' | 'height'>,
): AugmentationRequest {
  if (images.format === 'float32') {
    throw refuse('INVALID_REQUEST', { field: 'augmentation', problem: 'float images are not varied; send 8-bit pixels or image files' });
  }
  const { rotation, crop, brightnessVariation, brightnessVariationSpot } = message;
  const side = Math.min(size.width, size.height);
  const request: AugmentationRequest = {
    seed: message.seed,
    counter: message.counter ?? null,
    percentage: within('percentage', message.percentage ?? 100, 0, 100),
    all: isAll(message.mode),
    mirror: mirrorOf(message.mirror),
    rotateStep: rotation?.$case === 'rotateStep' ? within('rotate_step', rotation.value, LEAST_STEP, 180) : null,
    rotateRange: rotation?.$case === 'rotateRange' ? above0('rotate_range', rotation.value, 180) : null,
    cropPercentage: crop?.$case === 'cropPercentage' ? below100('crop_percentage', crop.value) : null,
    cropPixels: crop?.$case === 'cropPixels' ? within('crop_pixels', crop.value, 1, side) : null,
    brightnessVariation: within('brightness_variation', brightnessVariation, 0, 255) || null,
    brightnessVariationSpot: within('brightness_variation_spot', brightnessVariationSpot, 0, 255) || null,
  };
  const { mirror, rotateStep, rotateRange, cropPercentage, cropPixels } = request;
  const methods = [
    mirror,
    rotateStep,
    rotateRange,
    cropPercentage,
    cropPixels,
    request.brightnessVariation,
    request.brightnessVariationSpot,
  ];
  if (methods.every((method) => method === null)) throw refuse('INVALID_REQUEST', { field: 'augmentation', problem: 'it names no method' });
  return request;
}

/**
 * The images of a batch, varied, in a buffer of their own.
 *
 * @throws Refusal SERVER_BUSY without memory; the signal's reason once it is aborted
 */
export async function augment(
  batch: ImageBatch,
  shape: ImageShape,
  augmentation: Augmentation,
  makeBuffer: (bytes: number) => StagingBuffer,
  signal: AbortSignal,
): Promise<ImageBatch> {
  const imageBytes = shape.width * shape.height * shape.channels;
  const target = makeBuffer(batch.count * imageBytes);
  const plan = (index: number) => ({
    source: batch.buffer,
    sourceOffset: index * imageBytes,
    sourceBytes: imageBytes,
    pixels: shape,
    target,
    targetOffset: index * imageBytes,
    ...shape,
    exact: true,
    domain: null,
    normalizeContrast: false,
    augmentation,
  });
  try {
    await prepareAll(
      batch.count,
      (index, prepare) => prepare(plan(index)),
      (error) => error,
      signal,
    );
  } catch (error) {
    target.close();
    throw error;
  }
  return { ...batch, buffer: target };
}

function isAll(mode: AugmentationMode): boolean {
  if (AugmentationMode[mode] === undefined) throw refusal('mode', 'is none of the contract');
  return mode === AugmentationMode.AUGMENTATION_MODE_ALL_METHODS;
}

function mirrorOf(axes: MirrorAxes): Augmentation['mirror'] {
  const mirror = MIRRORS[axes];
  if (mirror === undefined) throw refusal('mirror', 'is none of the contract');
  return mirror;
}

function within(field: string, value: number, least: number, largest: number): number {
  if (value >= least && value <= largest) return value;
  throw refusal(field, `is ${value}; give ${least}..${largest}`);
}

function above0(field: string, value: number, largest: number): number {
  if (value > 0 && value <= largest) return value;
  throw refusal(field, `is ${value}; give a number above 0 and at most ${largest}`);
}

function below100(field: string, value: number): number {
  if (value > 0 && value < 100) return value;
  throw refusal(field, `is ${value}; give a number above 0 and below 100`);
}

function refusal(field: string, problem: string): Error {
  return refuse('INVALID_REQUEST', { field: `augmentation.${field}`, problem: `it ${problem}` });
}
