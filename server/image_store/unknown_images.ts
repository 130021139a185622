import { UnknownImages } from '../../generated/dlclassifier/v1/error.js';
import { type Refusal, refuse } from '../errors/refusal.js';

const UNKNOWN_IMAGES_TYPE = 'type.googleapis.com/dlclassifier.v1.UnknownImages';

/** @param unknown for each image of the call, whether it is a reference to an image that is not stored; true at least once */
export function refuseUnknown(unknown: readonly boolean[]): Refusal {
  const positions = new Uint8Array(Math.ceil(unknown.length / 8));
  let count = 0;
  for (const [image, isUnknown] of unknown.entries()) {
    if (!isUnknown) continue;
    positions[image >> 3] = (positions[image >> 3] ?? 0) | (1 << (image & 7));
    count++;
  }
  const value = UnknownImages.encode({ positions }).finish();
  return refuse('UNKNOWN_IMAGES', { count, image: unknown.indexOf(true) }, { details: [{ typeUrl: UNKNOWN_IMAGES_TYPE, value }] });
}

/** What {@link refuseUnknown} has listed; undefined for other refusals. */
export function unknownImagesOf({ details }: Refusal): UnknownImages | undefined {
  const detail = details.find(({ typeUrl }) => typeUrl === UNKNOWN_IMAGES_TYPE);
  return detail && UnknownImages.decode(detail.value);
}
