import type { ImagesDescription } from '../classifier/admission.js';
import { REFERENCES_PER_CALL } from '../config.js';
import { refuse } from '../errors/refusal.js';

/**
 * How the bytes of a stored image are to be read, a part of its name, so that equal bytes of different shapes are different images:
 * `encoded`, or format, width, height and channels.
 */
export type ImageKind = 'encoded' | `${'uint8' | 'float32'}-${number}x${number}x${number}`;

/** SHA-256 of the image's bytes in lower-case hexadecimal digits, and its kind: `9f86...0a08.uint8-224x224x3`. */
export type ImageName = `${string}.${ImageKind}`;

const DIGEST_BYTES = 32;

/** @throws Refusal INVALID_REQUEST of a shape that no image has */
export function imageKind({ format, width, height, channels }: Omit<ImagesDescription, 'count'>): ImageKind {
  if (format === 'encoded') return 'encoded';
  if (width < 1 || height < 1 || (channels !== 1 && channels !== 3)) {
    const problem = `no image is ${width} pixels wide, ${height} high, of ${channels} channels; give 1 or 3 channels`;
    throw refuse('INVALID_REQUEST', { field: 'images', problem });
  }
  return `${format}-${width}x${height}x${channels}`;
}

/** @throws Refusal INVALID_REQUEST of a digest that has not 32 bytes */
export function imageName(sha256: Uint8Array, kind: ImageKind, position: number, field: string): ImageName {
  if (sha256.byteLength !== DIGEST_BYTES) {
    const problem = `it has ${sha256.byteLength} bytes; a SHA-256 has ${DIGEST_BYTES}`;
    throw refuse('INVALID_REQUEST', { field: `${field}[${position}]`, problem });
  }
  return nameOf(hexadecimal(sha256), kind);
}

/** @throws Refusal LIMIT_EXCEEDED */
export function checkNumber(images: number): void {
  if (images > REFERENCES_PER_CALL) throw refuse('LIMIT_EXCEEDED', { limit: 'stored_images', got: images, maximum: REFERENCES_PER_CALL });
}

export function nameOf(digest: string, kind: ImageKind): ImageName {
  return `${digest}.${kind}`;
}

export function hexadecimal(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('hex');
}

/** The hexadecimal digest in a name. */
export function digestOf(name: ImageName): string {
  return name.slice(0, 2 * DIGEST_BYTES);
}

/** How a stored image's file is called: the size is in it, so that a start need not look at each file. */
export function fileNameOf(name: ImageName, bytes: number): string {
  const digest = digestOf(name);
  return `${digest}-${bytes}${name.slice(digest.length)}`;
}

const FILE_NAME = /^([0-9a-f]{64})-([1-9]\d{0,14})\.(encoded|(uint8|float32)-(\d{1,10})x(\d{1,10})x([13]))$/;

/** What a file holds by its name; null where it is none of ours. */
export function parseFileName(fileName: string): { readonly name: ImageName; readonly bytes: number } | null {
  const [, digest = '', bytes, kind, format, ...extents] = FILE_NAME.exec(fileName) ?? [];
  if (kind === undefined) return null;
  const image = { name: nameOf(digest, kind as ImageKind), bytes: Number(bytes) };
  if (format === undefined) return image;
  const values = extents.reduce((product, extent) => product * Number(extent), 1);
  return image.bytes === values * (format === 'float32' ? Float32Array.BYTES_PER_ELEMENT : 1) ? image : null;
}
