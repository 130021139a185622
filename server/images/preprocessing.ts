import { type Domain, type ImageBatch, PixelFormat } from '../../generated/dlclassifier/v1/image.js';
import type { Window } from '../../native/binding.js';
import { refuse } from '../errors/refusal.js';
import type { Preprocessing } from './decode.js';

/**
 * What the header of an upload asks to be done with its image files.
 *
 * @returns null where they must have the classifier's shape
 * @throws Refusal INVALID_REQUEST
 */
export function announcedPreprocessing({ format, imageCount, preprocessing, domains }: ImageBatch): Preprocessing | null {
  if (preprocessing === undefined) {
    if (domains.length === 0) return null;
    throw refuse('INVALID_REQUEST', { field: 'images.domains', problem: 'they need images.preprocessing' });
  }
  if (format !== PixelFormat.PIXEL_FORMAT_ENCODED) {
    throw refuse('INVALID_REQUEST', { field: 'images.preprocessing', problem: 'it is for PIXEL_FORMAT_ENCODED alone' });
  }
  if (domains.length !== 0 && domains.length !== imageCount) {
    throw refuse('INVALID_REQUEST', { field: 'images.domains', problem: `${domains.length} domains for ${imageCount} images` });
  }
  return { normalizeContrast: preprocessing.normalizeContrast, domains: domains.map(toWindow) };
}

/** Pixels of one image that are made with preprocessings of the same name are equal. */
export function nameOfPreprocessing(preprocessing: Preprocessing | null, position: number): string {
  if (preprocessing === null) return '';
  const { normalizeContrast, domains } = preprocessing;
  const domain = domains[position] ?? null;
  const part = domain === null ? '' : ` ${domain.row},${domain.column}+${domain.height}x${domain.width}`;
  return `${normalizeContrast ? ' contrast' : ' preprocessed'}${part}`;
}

function toWindow({ rectangle }: Domain, index: number): Window | null {
  if (rectangle === undefined) return null;
  const { row1, column1, row2, column2 } = rectangle;
  if (row2 < row1 || column2 < column1 || row2 >= MAXIMUM_EXTENT || column2 >= MAXIMUM_EXTENT) {
    const problem = `rows ${row1}..${row2} and columns ${column1}..${column2} are no part of an image`;
    throw refuse('INVALID_REQUEST', { field: `images.domains[${index}]`, problem });
  }
  return { row: row1, column: column1, height: row2 - row1 + 1, width: column2 - column1 + 1 };
}

/** Beyond it no image reaches. */
const MAXIMUM_EXTENT = 65_536;
