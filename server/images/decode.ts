import type { StagingBuffer, Window } from '../../native/binding.js';
import { engineBinding, isEngineError } from '../../native/index.js';
import { refuse } from '../errors/refusal.js';
import { decodeForeign } from './foreign.js';
import { newStagingBuffer } from './new_staging_buffer.js';
import { type ImagePlan, prepareAll } from './pool.js';

/** What the parameters of the classifier ask of each image. */
export interface ImageShape {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** Image files one after the other, as an upload with PIXEL_FORMAT_ENCODED brings them. */
export interface EncodedImages {
  /** Not written while they are decoded. */
  readonly files: StagingBuffer;
  /** Bytes of each file, in order. */
  readonly sizes: readonly number[];
  /** Of each file's image in its batch; null for 0, 1, 2, ... */
  readonly positions: readonly number[] | null;
}

/** How images are brought to the classifier's shape. */
export interface Preprocessing {
  readonly normalizeContrast: boolean;
  /** The part of each image that is used, null for all of it; empty where all of each is used. */
  readonly domains: readonly (Window | null)[];
}

/** Where the pixels of an image go. */
export interface PixelPlace {
  readonly target: StagingBuffer;
  readonly targetOffset: number;
}

/** One after the other in this buffer. */
export function placesIn(target: StagingBuffer, { width, height, channels }: ImageShape): (index: number) => PixelPlace {
  return (index) => ({ target, targetOffset: index * width * height * channels });
}

/**
 * Decodes all files, each to its place: (height, width, channels), 8 bits a channel; in no particular order. What becomes of an image is written down in docs/preprocessing.md.
 *
 * Without `preprocessing` nothing is converted that would lose something or could be done in several ways, because the caller's network
 * must see the same pixels at every place: width and height must be those asked for; a grey file becomes RGB by repeating its channel, an
 * RGB file becomes grey only if its channels are equal; an alpha channel is dropped if it is opaque throughout; of 16 bits the upper 8 are
 * taken. Of several pages or frames the first is taken. EXIF orientation and colour profiles are not applied.
 *
 * @throws Refusal IMAGE_UNDECODABLE, WRONG_IMAGE_WIDTH, WRONG_IMAGE_HEIGHT, WRONG_IMAGE_CHANNELS with the position of the first such image,
 * INVALID_REQUEST for a domain beyond its image, SERVER_BUSY without memory; the signal's reason once it is aborted
 */
export async function decodeImages(
  images: EncodedImages,
  shape: ImageShape,
  placeOf: (index: number) => PixelPlace,
  preprocessing: Preprocessing | null,
  signal: AbortSignal,
): Promise<void> {
  const starts: number[] = [];
  images.sizes.reduce((start, size) => {
    starts.push(start);
    return start + size;
  }, 0);
  const positionOf = (index: number) => images.positions?.[index] ?? index;
  const turn = async (index: number, prepare: (image: ImagePlan) => Promise<void>): Promise<void> => {
    const position = positionOf(index);
    const goal = {
      ...placeOf(index),
      ...shape,
      exact: preprocessing === null,
      domain: preprocessing?.domains[position] ?? null,
      normalizeContrast: preprocessing?.normalizeContrast ?? false,
      augmentation: null,
    };
    const file = { source: images.files, sourceOffset: starts[index] ?? 0, sourceBytes: images.sizes[index] ?? 0, pixels: null };
    if (isNative(file.source.read(file.sourceOffset, Math.min(file.sourceBytes, SIGNATURE_BYTES)))) return prepare({ ...file, ...goal });
    const foreign = { byteLength: file.sourceBytes, read: () => file.source.read(file.sourceOffset, file.sourceBytes) };
    await decodeForeign(foreign, position, preprocessing === null ? shape : null, async ({ data, ...pixels }) => {
      const source = stage([data]);
      try {
        await prepare({ source, sourceOffset: 0, sourceBytes: data.byteLength, pixels, ...goal });
      } finally {
        source.close();
      }
    });
  };
  await prepareAll(images.sizes.length, turn, (error, index) => refusal(error, positionOf(index)), signal);
}

/** A buffer that holds these bytes, one after the other. @throws Refusal SERVER_BUSY without memory */
export function stage(pieces: readonly Uint8Array[]): StagingBuffer {
  const total = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const buffer = newStagingBuffer(engineBinding(), Math.max(1, total));
  pieces.reduce((offset, piece) => {
    buffer.write(offset, piece);
    return offset + piece.byteLength;
  }, 0);
  return buffer;
}

const SIGNATURE_BYTES = 8;

/** JPEG and PNG by their first bytes. */
function isNative(signature: Uint8Array): boolean {
  const text = Buffer.from(signature).toString('latin1');
  return text.startsWith('\xff\xd8\xff') || text === '\x89PNG\r\n\x1a\n';
}

function refusal(error: unknown, image: number): unknown {
  if (!isEngineError(error)) return error;
  const { got = '', wanted = '', problem = error.message, argument } = error.metadata;
  switch (error.reason) {
    case 'IMAGE_UNDECODABLE':
      return refuse('IMAGE_UNDECODABLE', { image, problem }, { cause: error });
    case 'WRONG_IMAGE_WIDTH':
    case 'WRONG_IMAGE_HEIGHT':
    case 'WRONG_IMAGE_CHANNELS':
      return refuse(error.reason, { image, got, wanted }, { cause: error });
    case 'OUT_OF_MEMORY':
      return refuse('SERVER_BUSY', { limit: 'memory' }, { cause: error });
    case 'INVALID_ARGUMENT':
      if (argument === 'domain') return refuse('INVALID_REQUEST', { field: `images.domains[${image}]`, problem }, { cause: error });
      return error;
    default:
      return error;
  }
}
