import type { ImageBatch as EngineBatch, ImageTable, StagingBuffer } from '../../native/binding.js';
import type { ImagesDescription } from '../classifier/admission.js';
import { refuse } from '../errors/refusal.js';
import { type PixelForm, pixelsAsStored, placeReferredPixels } from '../image_store/referred_pixels.js';
import type { ReferredImages } from '../image_store/stored_image.js';
import { decodeImages, type ImageShape, type Preprocessing, placesIn, stage } from '../images/decode.js';
import { newStagingBuffer } from '../images/new_staging_buffer.js';
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
  const { count } = description;
  const size = imageBytes(description, format);
  const release = server.uploads.reserve(pixelBytes);
  const buffer = stagingBuffer(server, Math.max(1, totalBytes), release);
  const batch = new BatchPixels(server, buffer, count, size, sentPositions(announced));
  const sink: UploadSink = {
    write: (offset, pieces, checksum) => buffer.writePieces(offset, pieces, checksum),
    close: () => {
      referred?.release();
      batch.close();
      release();
    },
  };
  const finish = async (_settings: Settings, signal: AbortSignal) => {
    const form = pixelsAsStored((position, pixels) => batch.place(position, pixels));
    if (referred !== null) await placeReferredPixels(server.images, referred, form, signal);
    referred?.release();
    return { description, pixels: { buffer: batch.complete(), format, count } as const };
  };
  return { totalBytes, sink, finish };
}

function encodedUpload(server: ServerState, announced: AnnouncedImages, referred: ReferredImages | null, reserved: number): ImageUpload {
  const { description, totalBytes, encodedSizes, preprocessing } = announced;
  const release = server.uploads.reserve(reserved);
  const files = stagingBuffer(server, Math.max(1, totalBytes), release);
  let batch: BatchPixels | null = null;
  const sink: UploadSink = {
    write: (offset, pieces, checksum) => files.writePieces(offset, pieces, checksum),
    close: () => {
      referred?.release();
      files.close();
      batch?.close();
      release();
    },
  };
  const finish = async (settings: Settings, signal: AbortSignal): Promise<ReceivedImages> => {
    const { count } = description;
    const shape = shapeOf(settings);
    const size = imageBytes(shape, 'uint8');
    const positions = sentPositions(announced);
    const target = stagingBuffer(server, Math.max(1, encodedSizes.length * size), release);
    batch = new BatchPixels(server, target, count, size, positions);
    await decodeImages({ files, sizes: encodedSizes, positions }, shape, placesIn(target, shape), preprocessing, signal);
    files.close();
    const form = decodedForm(server, shape, preprocessing, batch, signal);
    if (referred !== null) await placeReferredPixels(server.images, referred, form, signal);
    referred?.release();
    return { description: { format: 'uint8', count, ...shape }, pixels: { buffer: batch.complete(), format: 'uint8', count } };
  };
  return { totalBytes, sink, finish };
}

/** The pixels of a batch: those that were sent in one buffer, those of stored images wherever they are. */
class BatchPixels {
  /** Null where all images are sent. */
  readonly #table: ImageTable | null;

  /** @param positions of the images that are sent, which the buffer gets in this order; null where all are sent */
  constructor(
    server: ServerState,
    private readonly sent: StagingBuffer,
    count: number,
    private readonly imageBytes: number,
    private readonly positions: readonly number[] | null,
  ) {
    this.#table = positions === null ? null : new server.binding.ImageTable({ count, imageBytes });
  }

  /** Where the engine reads them: now that all that were sent are there, and all others placed. */
  complete(): StagingBuffer | ImageTable {
    if (this.#table === null) return this.sent;
    for (const [index, position] of this.positions?.entries() ?? []) this.#table.set(position, this.sent, index * this.imageBytes);
    return this.#table;
  }

  place(position: number, pixels: StagingBuffer): void {
    this.#table?.set(position, pixels, 0);
  }

  close(): void {
    this.#table?.close();
    this.sent.close();
  }
}

/** Pixels of stored image files, in a batch of images of this shape. */
function decodedForm(
  { binding }: ServerState,
  shape: ImageShape,
  preprocessing: Preprocessing | null,
  batch: BatchPixels,
  signal: AbortSignal,
): PixelForm {
  const size = imageBytes(shape, 'uint8');
  const name = `${shape.width}x${shape.height}x${shape.channels}`;
  return {
    nameAt: (position) => name + nameOfPreprocessing(preprocessing, position),
    place: (position, pixels) => batch.place(position, pixels),
    load: async (images) => {
      const files = stage(images.map(({ data }) => data));
      const targets = images.map(() => newStagingBuffer(binding, size));
      try {
        const sizes = images.map(({ data }) => data.byteLength);
        const positions = images.map(({ position }) => position);
        const placeOf = (index: number) => ({ target: targets[index] as StagingBuffer, targetOffset: 0 });
        await decodeImages({ files, sizes, positions }, shape, placeOf, preprocessing, signal);
        return targets;
      } catch (error) {
        for (const target of targets) target.close();
        throw error;
      } finally {
        files.close();
      }
    },
  };
}

function shapeOf({ imageWidth, imageHeight, imageChannels }: Settings): ImageShape {
  return { width: imageWidth, height: imageHeight, channels: imageChannels };
}

/** @param release gives back what was reserved for it where it cannot be had */
export function stagingBuffer({ binding }: Pick<ServerState, 'binding'>, bytes: number, release: () => void): StagingBuffer {
  try {
    return newStagingBuffer(binding, bytes);
  } catch (error) {
    release();
    throw error;
  }
}
