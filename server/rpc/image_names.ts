import type { ImageNames } from '../../generated/dlclassifier/v1/image_store.js';
import { refuse } from '../errors/refusal.js';
import { checkNumber, type ImageKind, type ImageName, imageKind, imageName } from '../image_store/image_name.js';
import { pixelFormat } from './announced_images.js';

/** @throws Refusal INVALID_REQUEST, LIMIT_EXCEEDED */
export function imageNames(images: ImageNames | undefined): ImageName[] {
  if (images === undefined) throw refuse('INVALID_REQUEST', { field: 'images', problem: 'it is left out' });
  const kind = imageKind({ ...images, format: pixelFormat(images.format) });
  return namesOf(images.sha256, kind, 'images.sha256');
}

/** @throws Refusal INVALID_REQUEST, LIMIT_EXCEEDED */
export function namesOf(digests: readonly Uint8Array[], kind: ImageKind, field: string): ImageName[] {
  checkNumber(digests.length);
  return digests.map((digest, position) => imageName(digest, kind, position, field));
}
