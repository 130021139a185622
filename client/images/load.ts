import sharp, { type Metadata, type Sharp } from 'sharp';
import { toChannels } from './channels.js';
import { normalizeContrast } from './contrast.js';
import { enlarge } from './enlarge.js';
import { domainOf, type FilePart, fileOf, type ImageFile, type ImageSize, type PixelImage, type Rectangle } from './image.js';
import { undecodable } from './image_file.js';

/** What is done to an image file beside resizing. Training, evaluation and use must do the same. */
export interface Preprocessing {
  /**
   * Stretches the grey values of each image so that its darkest value becomes 0 and its brightest 255, all channels by the same rule.
   *
   * @default false
   */
  readonly normalizeContrast?: boolean | undefined;
}

/**
 * Decodes an image file, or a part of one, into the size that a classifier takes, as docs/preprocessing.md has it: resized without keeping
 * the aspect (bilinear, over the whole area that a pixel stands for), grey repeated to RGB or RGB made grey, alpha dropped, 16 bits brought
 * to 8; EXIF orientation and colour profiles are not applied. The `g - 127` of the network's range is the server's work.
 *
 * @param image path or bytes, or a part of such a file
 * @param index of the image in its call, for the error
 * @returns 8-bit pixels of exactly this size
 * @throws ImageUndecodableError (5503), also where the file cannot be read
 */
export async function loadImage(
  image: ImageFile | FilePart,
  size: ImageSize,
  preprocessing: Preprocessing = {},
  index = 0,
): Promise<PixelImage> {
  const file = fileOf(image);
  try {
    const data = await decode(file, domainOf(image), size);
    if (preprocessing.normalizeContrast === true) normalizeContrast(data);
    return { data, shape: [size.height, size.width, size.channels] };
  } catch (error) {
    throw undecodable(file, index, error);
  }
}

async function decode(file: ImageFile, domain: Rectangle | null, size: ImageSize): Promise<Uint8Array> {
  const whole = sharp(file, { failOn: 'error', ignoreIcc: true });
  const header = await whole.metadata();
  const part = domain === null ? whole : whole.extract(extractOf(domain));
  const { width, height } = domain === null ? header : extractOf(domain);
  // libvips shrinks, on threads of its own; it enlarges by another formula.
  const shrunk = { width: Math.min(width, size.width), height: Math.min(height, size.height) };
  const opaque = header.hasAlpha ? await withoutAlpha(part, header) : part;
  const resized = opaque.resize({ ...shrunk, fit: 'fill', kernel: 'linear', fastShrinkOnLoad: header.format === 'jpeg' });
  const { data, info } = await inColours(resized, header).toBuffer({ resolveWithObject: true });
  const pixels = toChannels(data, info.channels, size.channels);
  if (shrunk.width === size.width && shrunk.height === size.height) return pixels;
  return enlarge(pixels, shrunk, size, size.channels);
}

/** libvips would let the colours of transparent pixels count for less when it resizes. */
async function withoutAlpha(image: Sharp, header: Metadata): Promise<Sharp> {
  const { data, info } = await inColours(image.removeAlpha(), header).toBuffer({ resolveWithObject: true });
  return sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
}

/** Grey, RGB or inks as they are in the file, 8 bits a channel; other colour spaces become RGB. */
function inColours(image: Sharp, { space }: Metadata): Sharp {
  if (space === 'cmyk') return image.pipelineColourspace('cmyk').toColourspace('cmyk').raw({ depth: 'uchar' });
  return image.toColourspace(space === 'b-w' || space === 'grey16' ? 'b-w' : 'srgb').raw({ depth: 'uchar' });
}

function extractOf({ row1, column1, row2, column2 }: Rectangle) {
  return { top: row1, left: column1, height: row2 - row1 + 1, width: column2 - column1 + 1 };
}
