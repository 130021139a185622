import type { ImageBatch as EngineBatch, StagingBuffer } from '../../native/binding.js';
import { isEngineError } from '../../native/index.js';
import type { ImagesDescription } from '../classifier/admission.js';
import { refuse } from '../errors/refusal.js';
import { type PixelForm, pixelsAsStored, placeReferredPixels } from '../image_store/referred_pixels.js';
import type { ReferredImages } from '../image_store/stored_image.js';
import { decodeImages, type ImageShape, type Preprocessing, stage } from '../images/decode.js';
import { nameOfPreprocessing } from '../images/preprocessing.js';
import type { Settings } from '../parameters/settings.js';
import type { ServerState } from '../state.js';
import type { UploadDeclaration, UploadSink } from '../upload/receive.js';
import { type AnnouncedImages, imageBytes, sentPositions } from './announced_images.js';

/** Pixels that the engine can read, with what they turned out to be. */
export interface ReceivedImages {
  readonly description: ImagesDescription;
  readonly pixels: EngineBatch;
}

/** The place where the bytes of an upload of images go, and what becomes of them. */
export interface ImageUpload extends UploadDeclaration {
  /** After the last byte, once: decodes what is encoded, at the image size of `settings`, and adds what is stored. */
  finish(settings: Settings, signal: AbortSignal): Promise<ReceivedImages>;
}

/**
 * Admits the declared bytes and makes room for them.
 *
 * @param settings whose image size decoded images will have
 * @throws Refusal LIMIT_EXCEEDED, SERVER_BUSY, UNKNOWN_IMAGES
 */
export function admitImages(server: ServerState, announced: AnnouncedImages, settings: Settings): ImageUpload {
  const { description, totalBytes } = announced;
  const encoded = description.format === 'encoded';
  const pixelBytes = description.count * (encoded ? imageBytes(shapeOf(settings), 'uint8') : imageBytes(description, description.format));
  const largest = encoded ? Math.max(totalBytes, pixelBytes) : pixelBytes;
  const maximum = server.limits.uploadBytes;
  if (largest > maximum) throw refuse('LIMIT_EXCEEDED', { limit: 'upload_bytes', got: largest, maximum });
  const referred = announced.references === null ? null : server.images.refer(announced.references);
  try {
    return encoded
      ? encodedUpload(server, announced, referred, totalBytes + pixelBytes)
      : pixelUpload(server, announced, referred, pixelBytes);
  } catch (error) {
    referred?.release();
    throw error;
  }
}

function pixelUpload(server: ServerState, announced: AnnouncedImages, referred: ReferredImages | null, pixelBytes: number): ImageUpload {
  const { description, totalBytes } = announced;
  const format = description.format === 'float32' ? 'float32' : 'uint8';
  const size = imageBytes(description, format);
  const release = server.uploads.reserve(pixelBytes);
  const buffer = stagingBuffer(server, pixelBytes, release);
  const positions = sentPositions(announced);
  const sink: UploadSink = {
    write: (offset, pieces, checksum) =>
      positions === null ? buffer.writePieces(offset, pieces, checksum) : scatter(offset, pieces, checksum, size, positions, buffer),
    close: () => {
      referred?.release();
      buffer.close();
      release();
    },
  };
  const finish = async (_settings: Settings, signal: AbortSignal) => {
    const form = pixelsAsStored((position, pixels) => buffer.write(position * size, pixels));
    if (referred !== null) await placeReferredPixels(server.images, referred, form, signal);
    referred?.release();
    return { description, pixels: { buffer, format, count: description.count } as const };
  };
  return { totalBytes, sink, finish };
}

function encodedUpload(server: ServerState, announced: AnnouncedImages, referred: ReferredImages | null, reserved: number): ImageUpload {
  const { description, totalBytes, encodedSizes, preprocessing } = announced;
  const release = server.uploads.reserve(reserved);
  const files = stagingBuffer(server, Math.max(1, totalBytes), release);
  let buffer: StagingBuffer | null = null;
  const sink: UploadSink = {
    write: (offset, pieces, checksum) => files.writePieces(offset, pieces, checksum),
    close: () => {
      referred?.release();
      files.close();
      buffer?.close();
      release();
    },
  };
  const finish = async (settings: Settings, signal: AbortSignal): Promise<ReceivedImages> => {
    const { count } = description;
    const shape = shapeOf(settings);
    const pixels = stagingBuffer(server, count * imageBytes(shape, 'uint8'), release);
    buffer = pixels;
    const sent = { files, sizes: encodedSizes, positions: sentPositions(announced) };
    await decodeImages(sent, shape, pixels, preprocessing, signal);
    files.close();
    const form = decodedForm(shape, preprocessing, pixels, signal);
    if (referred !== null) await placeReferredPixels(server.images, referred, form, signal);
    referred?.release();
    return { description: { format: 'uint8', count, ...shape }, pixels: { buffer: pixels, format: 'uint8', count } };
  };
  return { totalBytes, sink, finish };
}

/** Pixels of stored image files, in a batch of images of this shape. */
function decodedForm(shape: ImageShape, preprocessing: Preprocessing | null, target: StagingBuffer, signal: AbortSignal): PixelForm {
  const size = imageBytes(shape, 'uint8');
  const name = `${shape.width}x${shape.height}x${shape.channels}`;
  return {
    nameAt: (position) => name + nameOfPreprocessing(preprocessing, position),
    place: (position, pixels) => target.write(position * size, pixels),
    load: async (images, keep) => {
      const files = stage(images.map(({ data }) => data));
      try {
        const sizes = images.map(({ data }) => data.byteLength);
        const positions = images.map(({ position }) => position);
        await decodeImages({ files, sizes, positions }, shape, target, preprocessing, signal);
      } finally {
        files.close();
      }
      for (const { position } of images) keep(position, target.read(position * size, size));
    },
  };
}

/**
 * Writes bytes of some images of a batch, as they come, to the places of these images.
 *
 * @param offset among the bytes that come
 * @param size bytes of an image
 * @param positions of the images that come, in order
 * @returns the checksum, as UploadSink.write does
 */
function scatter(
  offset: number,
  pieces: readonly Uint8Array[],
  checksum: number,
  size: number,
  positions: readonly number[],
  target: StagingBuffer,
): number {
  let place = offset;
  let sum = checksum;
  for (const piece of pieces) {
    for (let taken = 0; taken < piece.byteLength; ) {
      const image = Math.floor(place / size);
      const filled = place - image * size;
      const part = piece.subarray(taken, taken + size - filled);
      sum = target.writePieces((positions[image] as number) * size + filled, [part], sum);
      taken += part.byteLength;
      place += part.byteLength;
    }
  }
  return sum;
}

function shapeOf({ imageWidth, imageHeight, imageChannels }: Settings): ImageShape {
  return { width: imageWidth, height: imageHeight, channels: imageChannels };
}

/** @param release gives back what was reserved for it where it cannot be had */
export function stagingBuffer(server: ServerState, bytes: number, release: () => void): StagingBuffer {
  try {
    return new server.binding.StagingBuffer(bytes);
  } catch (error) {
    release();
    if (isEngineError(error) && error.reason === 'OUT_OF_MEMORY') throw refuse('SERVER_BUSY', { limit: 'memory' }, { cause: error });
    throw error;
  }
}
