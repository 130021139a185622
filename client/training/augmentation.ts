import { Augmentation as AugmentationMessage, AugmentationMode, MirrorAxes } from '../../generated/dlclassifier/v1/augmentation.js';
import { unsigned32, unsigned64 } from '../upload/unsigned.js';

/**
 * Varies the images of a training batch at random, on the server, after they have been brought to the classifier's size: as HALCON's
 * augment_images does. A method that is left out is not used; at least one must be named. Float images are not varied. The same seed,
 * counter and position of an image in its batch give the same pixels.
 */
export interface Augmentation {
  /** An integer >= 0: it decides all that is drawn. */
  readonly seed: number | bigint;
  /** Names the batch: another number draws anew. @default the steps applied before this batch's */
  readonly counter?: number | bigint | undefined;
  /** Probability in percent with which each image is varied. @default 100 */
  readonly percentage?: number | undefined;
  /**
   * `one`: each image that is varied gets one of the methods, all equally likely. `all`: it gets all of them, in the order below.
   *
   * @default 'one'
   */
  readonly methods?: 'one' | 'all' | undefined;
  /** `r` mirrors the rows, so that the first becomes the last; `c` the columns; `rc` rows, columns or both, a third each. */
  readonly mirror?: 'r' | 'c' | 'rc' | undefined;
  /** Degrees, 0.001..180: turns by any multiple of it between 0 and 360. Not together with rotateRange. */
  readonly rotateStep?: number | undefined;
  /** Degrees, above 0 and at most 180: turns by any angle in -rotateRange..rotateRange. */
  readonly rotateRange?: number | undefined;
  /** Sides of a window, anywhere in the image, that is enlarged to its size; above 0, below 100. Not together with cropPixels. */
  readonly cropPercentage?: number | undefined;
  /** The same in pixels, at most those of the image. */
  readonly cropPixels?: number | undefined;
  /** Grey values, 0..255: adds any number in -v..v to all pixels. */
  readonly brightnessVariation?: number | undefined;
  /** Grey values, 0..255: adds any number in -v..v at the centre of a spot, and less around it. */
  readonly brightnessVariationSpot?: number | undefined;
}

/** What the training calls take beside the images. */
export interface AugmentationOptions {
  /** How the images are varied at random, on the server. @default not at all */
  readonly augmentation?: Augmentation | undefined;
}

const MIRRORS = {
  r: MirrorAxes.MIRROR_AXES_ROWS,
  c: MirrorAxes.MIRROR_AXES_COLUMNS,
  rc: MirrorAxes.MIRROR_AXES_ROWS_AND_COLUMNS,
} as const;

/** @throws TypeError where two methods exclude each other; RangeError where a number is none that can be sent */
export function encodeAugmentation(augmentation: Augmentation): AugmentationMessage {
  const { seed, counter, percentage, methods, mirror, rotateStep, rotateRange, cropPercentage, cropPixels } = augmentation;
  if (rotateStep !== undefined && rotateRange !== undefined) throw new TypeError('give rotateStep or rotateRange, not both');
  if (cropPercentage !== undefined && cropPixels !== undefined) throw new TypeError('give cropPercentage or cropPixels, not both');
  const message = AugmentationMessage.create({
    seed: unsigned64(seed, 'augmentation.seed'),
    counter: counter === undefined ? undefined : unsigned64(counter, 'augmentation.counter'),
    percentage,
    mode: methods === 'all' ? AugmentationMode.AUGMENTATION_MODE_ALL_METHODS : AugmentationMode.AUGMENTATION_MODE_ONE_METHOD,
    mirror: mirror === undefined ? MirrorAxes.MIRROR_AXES_UNSPECIFIED : MIRRORS[mirror],
    brightnessVariation: augmentation.brightnessVariation ?? 0,
    brightnessVariationSpot: augmentation.brightnessVariationSpot ?? 0,
  });
  if (rotateStep !== undefined) message.rotation = { $case: 'rotateStep', value: rotateStep };
  if (rotateRange !== undefined) message.rotation = { $case: 'rotateRange', value: rotateRange };
  if (cropPercentage !== undefined) message.crop = { $case: 'cropPercentage', value: cropPercentage };
  if (cropPixels !== undefined) message.crop = { $case: 'cropPixels', value: unsigned32(cropPixels, 'augmentation.cropPixels') };
  return message;
}
