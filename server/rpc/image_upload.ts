import { type ImageBatch, PixelFormat } from '../../generated/dlclassifier/v1/image.js';
import type { ImageBatch as EngineBatch, StagingBuffer } from '../../native/binding.js';
import { isEngineError } from '../../native/index.js';
import type { ImagesDescription } from '../classifier/admission.js';
import { refuse } from '../errors/refusal.js';
import { decodeImages } from '../images/decode.js';
import type { Settings } from '../parameters/settings.js';
import type { ServerState } from '../state.js';
import type { UploadDeclaration, UploadSink } from '../upload/receive.js';

/** What the header of an upload says of its images. */
export interface AnnouncedImages {
  readonly description: ImagesDescription;
  /** Bytes that will follow. */
  readonly totalBytes: number;
  /** Of each image file; empty where the pixels come as they are. */
  readonly encodedSizes: readonly number[];
}

/** Pixels that the engine can read, with what they turned out to be. */
export interface ReceivedImages {
  readonly description: ImagesDescription;
  readonly pixels: EngineBatch;
}

const FORMATS: Readonly<Record<PixelFormat, ImagesDescription['format'] | null>> = {
  [PixelFormat.PIXEL_FORMAT_UNSPECIFIED]: null,
  [PixelFormat.PIXEL_FORMAT_UINT8]: 'uint8',
  [PixelFormat.PIXEL_FORMAT_FLOAT32]: 'float32',
  [PixelFormat.PIXEL_FORMAT_ENCODED]: 'encoded',
};

/** @throws Refusal INVALID_REQUEST, UPLOAD_MALFORMED */
export function announcedImages(batch: ImageBatch | undefined): AnnouncedImages {
  if (batch === undefined) throw refuse('INVALID_REQUEST', { field: 'images', problem: 'it is left out' });
  const { imageCount: count, width, height, channels, encodedSizes } = batch;
  const format = FORMATS[batch.format] ?? null;
  if (format === null) throw refuse('INVALID_REQUEST', { field: 'images.format', problem: 'give one of the formats of the contract' });
  const sizes = format === 'encoded' ? count : 0;
  if (encodedSizes.length !== sizes) {
    throw refuse('UPLOAD_MALFORMED', { problem: `${encodedSizes.length} encoded_sizes for ${sizes} image files` });
  }
  const totalBytes =
    format === 'encoded' ? encodedSizes.reduce((sum, size) => sum + size, 0) : count * width * height * channels * valueBytes(format);
  return { description: { format, count, width, height, channels }, totalBytes, encodedSizes };
}

/** The place where the bytes of an upload of images go, and what becomes of them. */
export interface ImageUpload extends UploadDeclaration {
  /** After the last byte, once: decodes what is encoded, at the image size of `settings`. */
  finish(settings: Settings, signal: AbortSignal): Promise<ReceivedImages>;
}

/**
 * Admits the declared bytes and makes room for them.
 *
 * @param settings whose image size decoded images will have
 * @throws Refusal LIMIT_EXCEEDED, SERVER_BUSY
 */
export function admitImages(server: ServerState, announced: AnnouncedImages, settings: Settings): ImageUpload {
  const { description, totalBytes } = announced;
  const decodedBytes = description.count * settings.imageWidth * settings.imageHeight * settings.imageChannels;
  const largest = description.format === 'encoded' ? Math.max(totalBytes, decodedBytes) : totalBytes;
  const maximum = server.limits.uploadBytes;
  if (largest > maximum) throw refuse('LIMIT_EXCEEDED', { limit: 'upload_bytes', got: largest, maximum });
  return description.format === 'encoded'
    ? encodedUpload(server, announced, totalBytes + decodedBytes)
    : pixelUpload(server, description, totalBytes);
}

function pixelUpload(server: ServerState, description: ImagesDescription, totalBytes: number): ImageUpload {
  const release = server.uploads.reserve(totalBytes);
  const buffer = stagingBuffer(server, totalBytes, release);
  const sink: UploadSink = {
    write: (offset, bytes) => buffer.write(offset, bytes),
    close: () => {
      buffer.close();
      release();
    },
  };
  const format = description.format === 'float32' ? 'float32' : 'uint8';
  const finish = async () => ({ description, pixels: { buffer, format, count: description.count } as const });
  return { totalBytes, sink, finish };
}

function encodedUpload(server: ServerState, { description, totalBytes, encodedSizes }: AnnouncedImages, reserved: number): ImageUpload {
  const release = server.uploads.reserve(reserved);
  const files = stagingBuffer(server, Math.max(1, totalBytes), release);
  let buffer: StagingBuffer | null = null;
  const sink: UploadSink = {
    write: (offset, bytes) => files.write(offset, bytes),
    close: () => {
      files.close();
      buffer?.close();
      release();
    },
  };
  const finish = async (settings: Settings, signal: AbortSignal): Promise<ReceivedImages> => {
    const { count } = description;
    const shape = { width: settings.imageWidth, height: settings.imageHeight, channels: settings.imageChannels };
    const pixels = stagingBuffer(server, count * shape.width * shape.height * shape.channels, release);
    buffer = pixels;
    await decodeImages({ files, sizes: encodedSizes }, shape, { buffer: pixels }, null, signal);
    files.close();
    return { description: { format: 'uint8', count, ...shape }, pixels: { buffer: pixels, format: 'uint8', count } };
  };
  return { totalBytes, sink, finish };
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

function valueBytes(format: 'uint8' | 'float32'): number {
  return format === 'float32' ? Float32Array.BYTES_PER_ELEMENT : 1;
}
