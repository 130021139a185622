import sharp from 'sharp';
import type { TrainBatchHeader, TrainBatchRequest } from '../../../generated/dlclassifier/v1/classifier.js';
import { type Label, PixelFormat } from '../../../generated/dlclassifier/v1/image.js';
import { upload } from '../calls.js';
import { type Batch, noiseBatch, trainMessages } from '../classifier.js';
import type { Situation } from './case.js';

/** A PNG file of one colour. */
export const png = (width: number, height: number, background: string) =>
  sharp({ create: { width, height, channels: 4, background } })
    .png()
    .toBuffer();

/** Image files as a batch. */
export async function encodedBatch(...files: (Buffer | Promise<Buffer>)[]): Promise<Batch> {
  const bytes = await Promise.all(files);
  const batch = noiseBatch();
  const encodedSizes = bytes.map(({ length }) => length);
  return {
    ...batch,
    images: { ...batch.images, format: PixelFormat.PIXEL_FORMAT_ENCODED, imageCount: files.length, encodedSizes },
    pixels: Buffer.concat(bytes),
  };
}

export const blue = () => png(16, 16, '#0000ff');

/** A batch of float32 with one value in one image, 0 elsewhere. */
export function floatBatch(value: number, image: number): Batch {
  const batch = noiseBatch();
  const pixels = new Float32Array(4 * 16 * 16 * 3);
  pixels[image * 16 * 16 * 3 + 5] = value;
  return { ...batch, images: { ...batch.images, format: PixelFormat.PIXEL_FORMAT_FLOAT32 }, pixels: new Uint8Array(pixels.buffer) };
}

/** A batch whose description says something else than its pixels are. */
export function batchWith(images: Partial<Batch['images']>): Batch {
  const batch = noiseBatch();
  return { ...batch, images: { ...batch.images, ...images } };
}

/** A batch whose second label is another. */
export function labelled(label: Label['label']): Batch {
  const batch = noiseBatch();
  return { ...batch, labels: batch.labels.with(1, { label }) };
}

/** A TrainBatch call with other messages than it should have. */
export function trainWith({ client, classifier }: Situation, change: (messages: TrainBatchRequest[]) => TrainBatchRequest[]) {
  return upload(client, 'trainBatch', change(trainMessages(classifier)));
}

export function trainWithHeader(situation: Situation, header: Partial<TrainBatchHeader>) {
  return trainWith(situation, ([first, ...rest]) => {
    if (first?.header === undefined) throw new Error('the first message has no header');
    return [{ ...first, header: { ...first.header, ...header } }, ...rest];
  });
}
