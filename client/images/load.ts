import { status } from '@grpc/grpc-js';
import sharp from 'sharp';
import { ImageUndecodableError } from '../errors/refusals.js';
import { normalizeContrast } from './contrast.js';
import { domainOf, type FilePart, fileOf, type ImageFile, type ImageSize, type PixelImage, type Rectangle } from './image.js';

/** What is done to an image file beside resizing. Training, evaluation and use must do the same. */
export interface Preprocessing {
  /**
   * Stretches the grey values of each image so that its darkest value becomes 0 and its brightest 255, all channels by the same rule.
   *
   * @default false
   */
  readonly normalizeContrast?: boolean | undefined;
}

/**
 * Decodes an image file, or a part of one, into the size that a classifier takes: resized without keeping the aspect (bilinear, over the whole area that
 * a pixel stands for), grey repeated to RGB or RGB made grey, alpha dropped, 16 bits brought to 8. The `g - 127` of the network's
 * range is the server's work.
 *
 * @param image path or bytes, or a part of such a file
 * @param index of the image in its call, for the error
 * @returns 8-bit pixels of exactly this size
 * @throws ImageUndecodableError (5503), also where the file cannot be read
 */
export async function loadImage(
  image: ImageFile | FilePart,
  size: ImageSize,
  preprocessing: Preprocessing = {},
  index = 0,
): Promise<PixelImage> {
  const file = fileOf(image);
  const domain = domainOf(image);
  const { width, height, channels } = size;
  const opened = sharp(file, { failOn: 'error' });
  const decoded = (domain === null ? opened : opened.extract(extractOf(domain)))
    .removeAlpha()
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .resize({ width, height, fit: 'fill', kernel: 'linear' })
    .raw({ depth: 'uchar' });
  const data = await decoded.toBuffer().catch((error: unknown) => {
    throw undecodable(file, index, error);
  });
  if (preprocessing.normalizeContrast === true) normalizeContrast(data);
  return { data, shape: [height, width, channels] };
}

function extractOf({ row1, column1, row2, column2 }: Rectangle) {
  return { top: row1, left: column1, height: row2 - row1 + 1, width: column2 - column1 + 1 };
}

function undecodable(file: ImageFile, index: number, cause: unknown): ImageUndecodableError {
  const problem = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
  const name = typeof file === 'string' ? `image ${index} (${file})` : `image ${index}`;
  return new ImageUndecodableError(`${name} cannot be decoded: ${problem}; give JPEG, PNG, WebP, TIFF or GIF, or plain pixels`, {
    reason: 'IMAGE_UNDECODABLE',
    number: 5503,
    status: status.INVALID_ARGUMENT,
    retryable: false,
    metadata: { image: String(index), problem },
    cause,
  });
}
