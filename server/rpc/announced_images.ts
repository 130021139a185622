import { type ImageBatch, PixelFormat } from '../../generated/dlclassifier/v1/image.js';
import type { ImagesDescription } from '../classifier/admission.js';
import { refuse } from '../errors/refusal.js';
import { checkNumber, type ImageName, imageKind, imageName } from '../image_store/image_name.js';
import type { Preprocessing } from '../images/decode.js';
import { announcedPreprocessing } from '../images/preprocessing.js';

/** What the header of an upload says of its images. */
export interface AnnouncedImages {
  readonly description: ImagesDescription;
  /** Bytes that will follow: those of the images that are sent. */
  readonly totalBytes: number;
  /** Of each image file that is sent; empty where the pixels come as they are. */
  readonly encodedSizes: readonly number[];
  /** null where image files must have the classifier's shape. */
  readonly preprocessing: Preprocessing | null;
  /** For each image the name of a stored one, null where it is sent; null where all are sent. */
  readonly references: readonly (ImageName | null)[] | null;
}

const FORMATS: Readonly<Record<PixelFormat, ImagesDescription['format'] | null>> = {
  [PixelFormat.PIXEL_FORMAT_UNSPECIFIED]: null,
  [PixelFormat.PIXEL_FORMAT_UINT8]: 'uint8',
  [PixelFormat.PIXEL_FORMAT_FLOAT32]: 'float32',
  [PixelFormat.PIXEL_FORMAT_ENCODED]: 'encoded',
};

/** @throws Refusal INVALID_REQUEST */
export function pixelFormat(format: PixelFormat): ImagesDescription['format'] {
  const known = FORMATS[format] ?? null;
  if (known === null) throw refuse('INVALID_REQUEST', { field: 'images.format', problem: 'give one of the formats of the contract' });
  return known;
}

/** @throws Refusal INVALID_REQUEST, UPLOAD_MALFORMED, LIMIT_EXCEEDED */
export function announcedImages(batch: ImageBatch | undefined): AnnouncedImages {
  if (batch === undefined) throw refuse('INVALID_REQUEST', { field: 'images', problem: 'it is left out' });
  const { imageCount: count, width, height, channels, encodedSizes } = batch;
  const description = { format: pixelFormat(batch.format), count, width, height, channels };
  const references = batch.references.length === 0 ? null : referencesOf(batch.references, description);
  const sent = references === null ? count : references.filter((name) => name === null).length;
  const files = description.format === 'encoded' ? sent : 0;
  if (encodedSizes.length !== files) {
    throw refuse('UPLOAD_MALFORMED', { problem: `${encodedSizes.length} encoded_sizes for ${files} image files` });
  }
  const totalBytes =
    description.format === 'encoded'
      ? encodedSizes.reduce((sum, size) => sum + size, 0)
      : sent * imageBytes(description, description.format);
  return { description, totalBytes, encodedSizes, references, preprocessing: announcedPreprocessing(batch) };
}

/** Bytes of each image that is sent. */
export function imageSizes({ description, encodedSizes }: AnnouncedImages): readonly number[] {
  if (description.format === 'encoded') return encodedSizes;
  return new Array<number>(description.count).fill(imageBytes(description, description.format));
}

function referencesOf(references: readonly Uint8Array[], description: ImagesDescription): (ImageName | null)[] {
  if (references.length !== description.count) {
    throw refuse('UPLOAD_MALFORMED', { problem: `${references.length} references for ${description.count} images` });
  }
  const kind = imageKind(description);
  const names = references.map((sha256, image) => (sha256.byteLength === 0 ? null : imageName(sha256, kind, image, 'images.references')));
  checkNumber(names.reduce((count, name) => count + (name === null ? 0 : 1), 0));
  return names;
}

/** Positions in the batch of the images that are sent, in order; null where all are. */
export function sentPositions({ references }: AnnouncedImages): readonly number[] | null {
  return references === null ? null : references.flatMap((name, position) => (name === null ? [position] : []));
}

/** Bytes of one image. */
export function imageBytes({ width, height, channels }: ImageExtents, format: 'uint8' | 'float32'): number {
  return width * height * channels * (format === 'float32' ? Float32Array.BYTES_PER_ELEMENT : 1);
}

type ImageExtents = Pick<ImagesDescription, 'width' | 'height' | 'channels'>;
