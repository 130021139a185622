import { availableParallelism, endianness } from 'node:os';
import { ImageBatch, PixelFormat } from '../../generated/dlclassifier/v1/image.js';
import { type UploadBody, uploadBody } from '../upload/body.js';
import { unsigned32 } from '../upload/unsigned.js';
import { concurrently } from './concurrently.js';
import {
  checkShape,
  domainOf,
  type FilePart,
  fileOf,
  type Image,
  type ImageFile,
  type ImageSize,
  type Images,
  isImageFile,
  isPixelBatch,
  type PixelBatch,
  type PixelImage,
  type Rectangle,
} from './image.js';
import { readImageFile } from './image_file.js';
import { loadImage, type Preprocessing } from './load.js';

/** How the image files of a call reach the server. */
export interface ImageOptions extends Preprocessing {
  /**
   * `decode`: decoded and resized here, sent as 8-bit pixels. `preprocess`: sent as they are; the server decodes, crops and resizes them
   * by its own formulas, which may differ from those here by a few grey values: take the same for training and use. `send`: sent as they
   * are and decoded by the server, which refuses a file that has not exactly the classifier's size; where the files are prepared already.
   *
   * @default 'decode'
   */
  readonly files?: 'decode' | 'preprocess' | 'send' | undefined;
  /**
   * Whether images are stored on the server, each once, and named by later calls instead of being sent again. `auto`: in training, images
   * that are given as files, and pixels of at least 4 KiB an image in a list; not a PixelBatch, which is mostly put together for the
   * occasion. `always`, `never`: all images. Where images are varied at random before they are given, `never` is right. An image that
   * cannot be stored is sent.
   *
   * @default 'auto' in training, 'never' in apply
   */
  readonly references?: 'auto' | 'always' | 'never' | undefined;
  /**
   * Whether arrays of pixels or of files never change once they have been given: then an image that is named again is not looked at, which
   * would take 0.15 ms a MiB. Where such an array changes nevertheless, the image that it held at first is trained on.
   *
   * @default false: a checksum of the array is compared each time
   */
  readonly constantImages?: boolean | undefined;
}

/** The images of a call as the contract has them: what the header declares, and the bytes. */
export interface ImagePayload {
  readonly images: ImageBatch;
  readonly body: UploadBody;
}

/** Files that are read or decoded at a time: libvips uses one of libuv's threads for each. */
export const FILES_AT_A_TIME = Math.min(4, availableParallelism() + 1);

/** @param size asks for what the classifier takes; only called if a file must be decoded */
export async function imagePayload(
  images: Images,
  size: () => Promise<ImageSize>,
  options: ImageOptions,
  signal: AbortSignal | undefined,
): Promise<ImagePayload> {
  if (isPixelBatch(images)) return batchPayload(images);
  if (options.files === 'send' || options.files === 'preprocess') return encodedPayload(images, options, signal);
  return pixelPayload(await decodeFiles(images, size, options, signal));
}

function batchPayload(batch: PixelBatch): ImagePayload {
  return { images: batchHeader(batch), body: uploadBody([littleEndianBytes(batch.data)]) };
}

function pixelPayload(images: readonly PixelImage[]): ImagePayload {
  for (const [index, image] of images.entries()) checkShape(image, `image ${index}`);
  return { images: pixelHeader(images), body: uploadBody(images.map((image) => littleEndianBytes(image.data))) };
}

async function encodedPayload(images: readonly Image[], options: ImageOptions, signal: AbortSignal | undefined): Promise<ImagePayload> {
  const sources = imageFiles(images, options);
  const header = encodedHeader(sources, options);
  const files = await concurrently(FILES_AT_A_TIME, sources, async (source, index) => {
    const file = fileOf(source);
    return typeof file === 'string' ? await readImageFile(file, index, signal) : file;
  });
  const encodedSizes = files.map((file) => file.byteLength);
  return { images: { ...header, encodedSizes }, body: uploadBody(files) };
}

export function batchHeader(batch: PixelBatch): ImageBatch {
  checkShape(batch, 'images');
  const [count, height, width, channels] = batch.shape;
  return ImageBatch.fromPartial({ format: formatOf(batch.data), imageCount: count, width, height, channels });
}

/** @throws TypeError, RangeError where the images are not alike */
export function pixelHeader(images: readonly PixelImage[]): ImageBatch {
  const [first] = images;
  for (const [index, image] of images.entries()) if (first !== undefined) checkAlike(image, first, index);
  const [height, width, channels] = first?.shape ?? [0, 0, 0];
  const format = first === undefined ? PixelFormat.PIXEL_FORMAT_UINT8 : formatOf(first.data);
  return ImageBatch.fromPartial({ format, imageCount: images.length, width, height, channels });
}

/** Without the sizes of the files. */
export function encodedHeader(files: readonly (ImageFile | FilePart)[], options: ImageOptions): ImageBatch {
  return ImageBatch.fromPartial({
    format: PixelFormat.PIXEL_FORMAT_ENCODED,
    imageCount: files.length,
    ...preprocessingOf(files, options),
  });
}

/** @throws TypeError where one is pixels */
export function imageFiles(images: readonly Image[], options: ImageOptions): (ImageFile | FilePart)[] {
  return images.map((image, index) => {
    if (!isImageFile(image)) throw new TypeError(`image ${index} is pixels; with files: '${options.files}' all images are files`);
    return image;
  });
}

/** Whether it lies in its image is for the server to say. */
function checkRectangle({ row1, column1, row2, column2 }: Rectangle, name: string): void {
  for (const [corner, value] of Object.entries({ row1, column1, row2, column2 })) unsigned32(value, `${name}.${corner}`);
}

/** What the server is to do with the files. */
function preprocessingOf(files: readonly (ImageFile | FilePart)[], options: ImageOptions): Partial<ImageBatch> {
  const domains = files.map(domainOf);
  const cropped = domains.some((domain) => domain !== null);
  const normalizeContrast = options.normalizeContrast === true;
  if (options.files === 'preprocess') {
    for (const [index, domain] of domains.entries()) if (domain !== null) checkRectangle(domain, `image ${index}: domain`);
    const rectangles = cropped ? domains.map((domain) => ({ rectangle: domain ?? undefined })) : [];
    return { preprocessing: { normalizeContrast }, domains: rectangles };
  }
  if (normalizeContrast) throw new TypeError("normalizeContrast needs files: 'decode' or 'preprocess'");
  if (cropped) throw new TypeError("a domain needs files: 'decode' or 'preprocess'");
  return {};
}

async function decodeFiles(
  images: readonly Image[],
  size: () => Promise<ImageSize>,
  options: ImageOptions,
  signal: AbortSignal | undefined,
): Promise<readonly PixelImage[]> {
  if (!images.some(isImageFile)) return images as readonly PixelImage[];
  const wanted = await size();
  return await concurrently(FILES_AT_A_TIME, images, async (image, index) => {
    signal?.throwIfAborted();
    return isImageFile(image) ? await loadImage(image, wanted, options, index) : image;
  });
}

/** A call has one shape and one type of values for all its images. */
function checkAlike(image: PixelImage, first: PixelImage, index: number): void {
  if (formatOf(image.data) !== formatOf(first.data)) {
    throw new TypeError(`image ${index} and image 0: one is 8-bit (as files are), the other Float32Array; give all images alike`);
  }
  if (image.shape.some((extent, axis) => extent !== first.shape[axis])) {
    throw new RangeError(`image ${index} is (${image.shape.join(', ')}), image 0 is (${first.shape.join(', ')}): height, width, channels`);
  }
}

function formatOf(data: Uint8Array | Float32Array): PixelFormat {
  return data instanceof Float32Array ? PixelFormat.PIXEL_FORMAT_FLOAT32 : PixelFormat.PIXEL_FORMAT_UINT8;
}

export function littleEndianBytes(data: Uint8Array | Float32Array): Uint8Array {
  if (data instanceof Uint8Array) return data;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32();
}
