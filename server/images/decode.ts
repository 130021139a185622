import { availableParallelism } from 'node:os';
import sharp, { type Metadata } from 'sharp';
import { refuse } from '../errors/refusal.js';
import { toChannels } from './channels.js';
import { limitConcurrency } from './concurrency.js';

/** What the parameters of the classifier ask of each image. */
export interface ImageShape {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** Image files one after the other, as an upload with PIXEL_FORMAT_ENCODED brings them. */
export interface EncodedImages {
  readonly files: Uint8Array;
  /** Bytes of each file, in order; together they are all of `files`. */
  readonly sizes: readonly number[];
}

/** The formats of the contract; libvips would open many more, SVG and PDF among them. */
const LOADERS = ['Jpeg', 'Png', 'Webp', 'Tiff', 'Nsgif'];
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: LOADERS.map((format) => `VipsForeignLoad${format}Buffer`) });
// Every image comes once: a cache of operations would only hold memory.
sharp.cache(false);
// One thread an image, several images at once.
sharp.concurrency(1);

const GREY_SPACES: ReadonlySet<string> = new Set(['b-w', 'grey16']);
const RGB_SPACES: ReadonlySet<string> = new Set(['srgb', 'rgb', 'rgb16']);

/** libuv has 4 threads: one stays free for the files of other calls. */
const decodeSlot = limitConcurrency(Math.min(3, availableParallelism()));

/**
 * Decodes all files into `write`: 8 bits a channel, (height, width, channels), each image at its own offset, in no particular order.
 *
 * Nothing is converted that would lose something or could be done in several ways, because the caller's network must see the same pixels at
 * every place: width and height must be those asked for; a grey file becomes RGB by repeating its channel, an RGB file becomes grey only if
 * its channels are equal; an alpha channel is dropped if it is opaque throughout; of 16 bits the upper 8 are taken. Of several pages
 * or frames the first is taken. EXIF orientation and colour profiles are not applied.
 *
 * @throws Refusal IMAGE_UNDECODABLE, WRONG_IMAGE_WIDTH, WRONG_IMAGE_HEIGHT or WRONG_IMAGE_CHANNELS with the index of the first such
 * image; the signal's reason once it is aborted
 */
export async function decodeImages(
  images: EncodedImages,
  shape: ImageShape,
  write: (offset: number, pixels: Uint8Array) => void,
  signal: AbortSignal,
): Promise<void> {
  const imageBytes = shape.width * shape.height * shape.channels;
  let start = 0;
  let firstFailure = Number.POSITIVE_INFINITY;
  const decodings = images.sizes.map((size, index) => {
    const file = images.files.subarray(start, start + size);
    start += size;
    return decodeSlot(async () => {
      signal.throwIfAborted();
      if (index > firstFailure) return;
      try {
        write(index * imageBytes, await decodeImage(file, index, shape));
      } catch (error) {
        firstFailure = Math.min(firstFailure, index);
        throw error;
      }
    });
  });
  const results = await Promise.allSettled(decodings);
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}

async function decodeImage(file: Uint8Array, index: number, shape: ImageShape): Promise<Uint8Array> {
  const image = await undecodable(index, async () => sharp(file, { failOn: 'error', pages: 1, ignoreIcc: true }));
  const header = await undecodable(index, () => image.metadata());
  checkHeader(header, index, shape);
  const colourSpace = GREY_SPACES.has(header.space) ? 'b-w' : 'srgb';
  const decoded = image.toColourspace(colourSpace).raw({ depth: 'uchar' });
  const { data, info } = await undecodable(index, () => decoded.toBuffer({ resolveWithObject: true }));
  return toChannels({ data, channels: info.channels }, index, shape);
}

/** Checks what the header says before any pixel is decoded. */
function checkHeader(header: Metadata, index: number, shape: ImageShape): void {
  if (header.width !== shape.width) throw refuse('WRONG_IMAGE_WIDTH', { image: index, got: header.width, wanted: shape.width });
  if (header.height !== shape.height) throw refuse('WRONG_IMAGE_HEIGHT', { image: index, got: header.height, wanted: shape.height });
  if (header.space === 'cmyk') throw refuse('WRONG_IMAGE_CHANNELS', { image: index, got: header.channels, wanted: shape.channels });
  if (!GREY_SPACES.has(header.space) && !RGB_SPACES.has(header.space)) {
    throw refuse('IMAGE_UNDECODABLE', { image: index, problem: `its colour space is ${header.space}` });
  }
  if (header.depth !== 'uchar' && header.depth !== 'ushort') {
    throw refuse('IMAGE_UNDECODABLE', { image: index, problem: `its values are of the type ${header.depth}, not of 8 or 16 bits` });
  }
}

/** libvips names the file and its own functions; the first line has the cause. */
async function undecodable<Result>(index: number, decode: () => Promise<Result>): Promise<Result> {
  try {
    return await decode();
  } catch (error) {
    const problem = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw refuse('IMAGE_UNDECODABLE', { image: index, problem }, { cause: error });
  }
}
