import type { ImageBatch } from '../../generated/dlclassifier/v1/image.js';
import { concurrently } from '../images/concurrently.js';
import {
  checkShape,
  domainOf,
  fileOf,
  type Image,
  type ImageSize,
  type Images,
  isImageFile,
  isPixelBatch,
  type PixelBatch,
  type PixelImage,
} from '../images/image.js';
import { readImageFile } from '../images/image_file.js';
import { loadImage } from '../images/load.js';
import {
  batchHeader,
  encodedHeader,
  FILES_AT_A_TIME,
  type ImageOptions,
  imageFiles,
  littleEndianBytes,
  pixelHeader,
} from '../images/payload.js';
import { HashedImage } from './hashed_image.js';
import type { ImageDigests } from './image_digests.js';

/** The images of a call by their digests. */
export interface ReferableImages {
  /** What the header of the call says of them, without `encodedSizes` and `references`. */
  readonly header: ImageBatch;
  readonly images: readonly HashedImage[];
}

/** @param size asks for what the classifier takes; only called if a file is decoded here */
export async function referableImages(
  images: Images,
  size: () => Promise<ImageSize>,
  options: ImageOptions,
  digests: ImageDigests,
  signal: AbortSignal | undefined,
): Promise<ReferableImages> {
  if (isPixelBatch(images)) return ofBatch(images);
  if (options.files === undefined || options.files === 'decode') return await ofPixels(images, size, options, digests, signal);
  const sources = imageFiles(images, options);
  const hashed = await concurrently(FILES_AT_A_TIME, sources, async (source, index) => {
    signal?.throwIfAborted();
    const file = fileOf(source);
    if (typeof file !== 'string') return digests.ofBytes(file, file, options.constantImages === true);
    return await digests.ofFile(file, 'file', () => readImageFile(file, index, signal));
  });
  return { header: encodedHeader(sources, options), images: hashed };
}

function ofBatch(batch: PixelBatch): ReferableImages {
  const header = batchHeader(batch);
  const bytes = littleEndianBytes(batch.data);
  const size = batch.shape[0] === 0 ? 0 : bytes.byteLength / batch.shape[0];
  const images = Array.from({ length: batch.shape[0] }, (_, index) => HashedImage.of(bytes.subarray(index * size, (index + 1) * size)));
  return { header, images };
}

async function ofPixels(
  images: readonly Image[],
  size: () => Promise<ImageSize>,
  options: ImageOptions,
  digests: ImageDigests,
  signal: AbortSignal | undefined,
): Promise<ReferableImages> {
  const wanted = images.some(isImageFile) ? await size() : null;
  const { width = 0, height = 0, channels = 0 } = wanted ?? {};
  const form = `${width}x${height}x${channels}${options.normalizeContrast === true ? ' normalized' : ''}`;
  const hashed = await concurrently(FILES_AT_A_TIME, images, async (image, index) => {
    signal?.throwIfAborted();
    if (!isImageFile(image)) {
      checkShape(image, `image ${index}`);
      return digests.ofBytes(littleEndianBytes(image.data), image.data, options.constantImages === true);
    }
    const read = async () => littleEndianBytes((await loadImage(image, wanted as ImageSize, options, index)).data);
    const file = fileOf(image);
    if (typeof file !== 'string') return HashedImage.of(await read());
    const domain = domainOf(image);
    return await digests.ofFile(file, domain === null ? form : `${form} ${JSON.stringify(domain)}`, read);
  });
  // A file stands for the pixels that are made of it.
  const shapes = images.map((image): PixelImage => (isImageFile(image) ? { data: NO_PIXELS, shape: [height, width, channels] } : image));
  return { header: pixelHeader(shapes), images: hashed };
}

const NO_PIXELS = new Uint8Array();
