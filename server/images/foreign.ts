import { availableParallelism } from 'node:os';
import sharp, { type Metadata } from 'sharp';
import { refuse } from '../errors/refusal.js';
import { limitConcurrency } from './concurrency.js';

/** Interleaved 8-bit pixels (height, width, channels): grey, grey and alpha, RGB, RGB and alpha. */
export interface DecodedPixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
}

/** A file that is in memory elsewhere. */
export interface ForeignFile {
  readonly byteLength: number;
  /** Copies its bytes. */
  read(): Uint8Array;
}

/** What an image must be that is not to be changed. */
export interface ExactSize {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** The formats of the contract; libvips would open many more, SVG and PDF among them. This holds for the whole process: JPEG and PNG stay, for the client library beside this. */
const LOADERS = ['Jpeg', 'Png', 'Webp', 'Tiff', 'Nsgif'];
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: LOADERS.map((format) => `VipsForeignLoad${format}Buffer`) });
// Every image comes once: a cache of operations would only hold memory.
sharp.cache(false);
// One thread an image, several images at once.
sharp.concurrency(1);

/** Those that are decoded here. JPEG and PNG are decoded natively, within limits of their own, which no file gets around that libvips takes for one. */
const FORMATS: ReadonlySet<string> = new Set(['webp', 'tiff', 'gif']);

/** Bytes of one file, as for JPEG and PNG. */
const FILE_LIMIT = 256 * 1024 * 1024;

/** Pixels of one file, all of which libvips holds at once. */
const PIXEL_LIMIT = 8192 * 8192;

const GREY_SPACES: ReadonlySet<string> = new Set(['b-w', 'grey16']);
const COLOUR_SPACES: ReadonlySet<string> = new Set(['srgb', 'rgb', 'rgb16', 'cmyk']);

/** libuv has 4 threads: one stays free for the files of other calls. */
const DECODERS = Math.min(3, availableParallelism());
const decodeSlot = limitConcurrency(DECODERS);

/** Images whose pixels exist at a time, of all calls together: those that are being decoded, and as many that are being resized. */
export const DECODED_AT_ONCE = 2 * DECODERS;
const pixelsSlot = limitConcurrency(DECODED_AT_ONCE);

/**
 * Decodes WebP, TIFF or GIF by libvips to 8 bits a channel: of 16 bits the upper 8 are taken, of several pages or frames the first. EXIF
 * orientation and colour profiles are not applied.
 *
 * @param file its bytes are read when its turn comes
 * @param exact what the header must promise before a pixel is decoded; null where any size will do, and CMYK, which becomes RGB
 * @param use the pixels are there until it settles, and no longer: a small file may hold many
 * @throws Refusal IMAGE_UNDECODABLE, WRONG_IMAGE_WIDTH, WRONG_IMAGE_HEIGHT or WRONG_IMAGE_CHANNELS with the index of the image; what `use` throws
 */
export function decodeForeign(
  file: ForeignFile,
  index: number,
  exact: ExactSize | null,
  use: (pixels: DecodedPixels) => Promise<void>,
): Promise<void> {
  return pixelsSlot(async () => use(await decode(file, index, exact)));
}

function decode({ byteLength, read }: ForeignFile, index: number, exact: ExactSize | null): Promise<DecodedPixels> {
  return decodeSlot(async () => {
    if (byteLength > FILE_LIMIT) {
      throw refuse('IMAGE_UNDECODABLE', { image: index, problem: `it has ${byteLength} bytes, the limit is ${FILE_LIMIT}` });
    }
    const open = async () => sharp(read(), { failOn: 'error', pages: 1, ignoreIcc: true, limitInputPixels: PIXEL_LIMIT });
    const image = await undecodable(index, open);
    const header = await undecodable(index, () => image.metadata());
    checkHeader(header, index, exact);
    const colourSpace = GREY_SPACES.has(header.space) ? 'b-w' : 'srgb';
    const decoded = image.toColourspace(colourSpace).raw({ depth: 'uchar' });
    const { data, info } = await undecodable(index, () => decoded.toBuffer({ resolveWithObject: true }));
    return { data, width: info.width, height: info.height, channels: info.channels };
  });
}

/** Checks what the header says before any pixel is decoded. */
function checkHeader(header: Metadata, index: number, exact: ExactSize | null): void {
  if (!FORMATS.has(header.format)) {
    throw refuse('IMAGE_UNDECODABLE', {
      image: index,
      problem: `it does not begin like a file of the format ${header.format}, which it is`,
    });
  }
  if (exact !== null) {
    if (header.width !== exact.width) throw refuse('WRONG_IMAGE_WIDTH', { image: index, got: header.width, wanted: exact.width });
    if (header.height !== exact.height) throw refuse('WRONG_IMAGE_HEIGHT', { image: index, got: header.height, wanted: exact.height });
    if (header.space === 'cmyk') throw refuse('WRONG_IMAGE_CHANNELS', { image: index, got: header.channels, wanted: exact.channels });
  }
  if (!GREY_SPACES.has(header.space) && !COLOUR_SPACES.has(header.space)) {
    throw refuse('IMAGE_UNDECODABLE', { image: index, problem: `its colour space is ${header.space}` });
  }
  if (header.depth !== 'uchar' && header.depth !== 'ushort') {
    throw refuse('IMAGE_UNDECODABLE', { image: index, problem: `its values are of the type ${header.depth}, not of 8 or 16 bits` });
  }
}

/** libvips names the file and its own functions; the first line has the cause. */
async function undecodable<Result>(index: number, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const problem = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw refuse('IMAGE_UNDECODABLE', { image: index, problem }, { cause: error });
  }
}
