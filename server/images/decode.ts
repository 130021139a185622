import type { StagingBuffer, Window } from '../../native/binding.js';
import { engineBinding, isEngineError } from '../../native/index.js';
import { refuse } from '../errors/refusal.js';
import { decodeForeign } from './foreign.js';
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
}

/** How images are brought to the classifier's shape. */
export interface Preprocessing {
  readonly normalizeContrast: boolean;
  /** The part of each image that is used; empty where all of each is. */
  readonly domains: readonly Window[];
}

/** Where the pixels go: (height, width, channels), 8 bits a channel. */
export interface PixelTarget {
  readonly buffer: StagingBuffer;
  /** Place of an image in the buffer, by its position among the files. @default one after the other */
  offsetOf?(index: number): number;
}

/**
 * Decodes all files into the target, in no particular order. What becomes of an image is written down in docs/preprocessing.md.
 *
 * Without `preprocessing` nothing is converted that would lose something or could be done in several ways, because the caller's network
 * must see the same pixels at every place: width and height must be those asked for; a grey file becomes RGB by repeating its channel, an
 * RGB file becomes grey only if its channels are equal; an alpha channel is dropped if it is opaque throughout; of 16 bits the upper 8 are
 * taken. Of several pages or frames the first is taken. EXIF orientation and colour profiles are not applied.
 *
 * @throws Refusal IMAGE_UNDECODABLE, WRONG_IMAGE_WIDTH, WRONG_IMAGE_HEIGHT, WRONG_IMAGE_CHANNELS with the index of the first such image,
 * INVALID_REQUEST for a domain beyond its image, SERVER_BUSY without memory; the signal's reason once it is aborted
 */
export async function decodeImages(
  images: EncodedImages,
  shape: ImageShape,
  target: PixelTarget,
  preprocessing: Preprocessing | null,
  signal: AbortSignal,
): Promise<void> {
  const imageBytes = shape.width * shape.height * shape.channels;
  const starts: number[] = [];
  images.sizes.reduce((start, size) => {
    starts.push(start);
    return start + size;
  }, 0);
  const foreign = new Set<StagingBuffer>();
  const plan = async (index: number): Promise<ImagePlan> => {
    const goal = {
      target: target.buffer,
      targetOffset: target.offsetOf?.(index) ?? index * imageBytes,
      ...shape,
      exact: preprocessing === null,
      domain: preprocessing?.domains[index] ?? null,
      normalizeContrast: preprocessing?.normalizeContrast ?? false,
      augmentation: null,
    };
    const file = { source: images.files, sourceOffset: starts[index] ?? 0, sourceBytes: images.sizes[index] ?? 0, pixels: null };
    if (isNative(file.source.read(file.sourceOffset, Math.min(file.sourceBytes, SIGNATURE_BYTES)))) return { ...file, ...goal };
    const bytes = file.source.read(file.sourceOffset, file.sourceBytes);
    const { data, ...pixels } = await decodeForeign(bytes, index, preprocessing === null ? shape : null);
    const source = stage([data]);
    foreign.add(source);
    return { source, sourceOffset: 0, sourceBytes: data.byteLength, pixels, ...goal };
  };
  try {
    await prepareAll(images.sizes.length, plan, refusal, signal);
  } finally {
    for (const buffer of foreign) buffer.close();
  }
}

/** A buffer that holds these bytes, one after the other. */
export function stage(pieces: readonly Uint8Array[]): StagingBuffer {
  const total = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const buffer = new (engineBinding().StagingBuffer)(Math.max(1, total));
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

function refusal(error: unknown, index: number): unknown {
  if (!isEngineError(error)) return error;
  const { got = '', wanted = '', problem = error.message, argument } = error.metadata;
  switch (error.reason) {
    case 'IMAGE_UNDECODABLE':
      return refuse('IMAGE_UNDECODABLE', { image: index, problem }, { cause: error });
    case 'WRONG_IMAGE_WIDTH':
    case 'WRONG_IMAGE_HEIGHT':
    case 'WRONG_IMAGE_CHANNELS':
      return refuse(error.reason, { image: index, got, wanted }, { cause: error });
    case 'OUT_OF_MEMORY':
      return refuse('SERVER_BUSY', { limit: 'memory' }, { cause: error });
    case 'INVALID_ARGUMENT':
      if (argument === 'domain') return refuse('INVALID_REQUEST', { field: `images.domains[${index}]`, problem }, { cause: error });
      return error;
    default:
      return error;
  }
}
