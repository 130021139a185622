/** One image as pixels: interleaved (height, width, channels), rows from top to bottom. */
export interface PixelImage {
  /** Uint8Array: 0..255. Float32Array: what the network sees, -127..128, that is grey value - 127. */
  readonly data: Uint8Array | Float32Array;
  readonly shape: readonly [height: number, width: number, channels: number];
}

/** Several images as pixels in one array, one after the other; sent as they are, without a copy of the whole. */
export interface PixelBatch {
  /** Uint8Array: 0..255. Float32Array: what the network sees, -127..128, that is grey value - 127. */
  readonly data: Uint8Array | Float32Array;
  readonly shape: readonly [count: number, height: number, width: number, channels: number];
}

/** An image file (JPEG, PNG, WebP, TIFF, GIF): its path, or its bytes. */
export type ImageFile = string | Uint8Array;

/** A part of an image in its own pixels, counted from 0; both corners are part of it, as in HALCON's gen_rectangle1. */
export interface Rectangle {
  readonly row1: number;
  readonly column1: number;
  readonly row2: number;
  readonly column2: number;
}

/** An image file of which only a part is used: HALCON's domain. */
export interface FilePart {
  readonly file: ImageFile;
  readonly domain: Rectangle;
}

/** A file, the bytes of a file, a part of one, or pixels. */
export type Image = ImageFile | FilePart | PixelImage;

/** The images of a call: a list, or one array of pixels. */
export type Images = PixelBatch | readonly Image[];

/** What a classifier's parameters image_width, image_height and image_num_channels ask for. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

export function isImageFile(image: Image): image is ImageFile | FilePart {
  return typeof image === 'string' || image instanceof Uint8Array || 'file' in image;
}

/** The file, whatever part of it is used. */
export function fileOf(image: ImageFile | FilePart): ImageFile {
  return typeof image === 'string' || image instanceof Uint8Array ? image : image.file;
}

/** The part of the file that is used; null where all of it is. */
export function domainOf(image: ImageFile | FilePart): Rectangle | null {
  return typeof image === 'string' || image instanceof Uint8Array ? null : image.domain;
}

export function isPixelBatch(images: Images): images is PixelBatch {
  return !Array.isArray(images);
}

/** Number of images. */
export function imageCount(images: Images): number {
  return isPixelBatch(images) ? images.shape[0] : images.length;
}

/** @throws RangeError where the array has not as many values as its shape says */
export function checkShape(image: PixelImage | PixelBatch, name: string): void {
  const wanted = image.shape.reduce((product, extent) => product * extent, 1);
  if (image.data.length === wanted) return;
  throw new RangeError(`${name}: ${image.data.length} values, the shape (${image.shape.join(', ')}) has ${wanted}`);
}
