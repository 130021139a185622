import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { LabelledImages } from './labelled_images.js';

/** An array as an IDX file has it. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** The IDX format's code of unsigned bytes, which all published data sets of images use. */
const UNSIGNED_BYTE = 0x08;
const GZIP_MAGIC = 0x1f8b;

/**
 * Reads an IDX file of unsigned bytes, packed with gzip or not: two zero bytes, the type, the number of axes, the extent of each axis
 * (32 bits, big endian), the values. Format: yann.lecun.org/exdb/mnist.
 *
 * @throws Error that names the file and what is wrong with it
 */
export async function readIdx(path: string): Promise<IdxArray> {
  const file = await readFile(path);
  const bytes = file.length >= 2 && file.readUInt16BE(0) === GZIP_MAGIC ? await promisify(gunzip)(file) : file;
  if (bytes.length < 4 || bytes.readUInt16BE(0) !== 0) throw new Error(`${path} is no IDX file: it does not begin with two zero bytes`);
  if (bytes[2] !== UNSIGNED_BYTE)
    throw new Error(`${path} holds values of type ${bytes[2]}; only unsigned bytes (${UNSIGNED_BYTE}) are read`);
  const axes = bytes[3] as number;
  const start = 4 + 4 * axes;
  if (bytes.length < start) throw new Error(`${path} ends within its header`);
  const shape = Array.from({ length: axes }, (_, axis) => bytes.readUInt32BE(4 + 4 * axis));
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (bytes.length !== start + count) throw new Error(`${path} holds ${bytes.length - start} values, its header says ${count}`);
  return { shape, data: bytes.subarray(start) };
}

/** Reads a data set of grey images: an IDX file (count, height, width) and one of labels (count). */
export async function readIdxImages(imagesPath: string, labelsPath: string): Promise<LabelledImages> {
  const [images, labels] = await Promise.all([readIdx(imagesPath), readIdx(labelsPath)]);
  const [count, height, width] = images.shape;
  if (images.shape.length !== 3 || count === undefined || height === undefined || width === undefined) {
    throw new Error(`${imagesPath} has the shape (${images.shape.join(', ')}), images have (count, height, width)`);
  }
  if (labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new Error(`${labelsPath} has the shape (${labels.shape.join(', ')}), there are ${count} images`);
  }
  return { images: { data: images.data, shape: [count, height, width, 1] }, labels: labels.data };
}
