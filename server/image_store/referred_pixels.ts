import type { StagingBuffer } from '../../native/binding.js';
import { limitConcurrency } from '../images/concurrency.js';
import { stage } from '../images/decode.js';
import { AS_STORED, type ImageStore } from './image_store.js';
import type { ReferredImages, StoredImage } from './stored_image.js';
import { refuseUnknown } from './unknown_images.js';

/** The bytes of a stored image that a batch refers to. */
export interface LoadedImage {
  readonly data: Uint8Array;
  /** Of the image in the batch. */
  readonly position: number;
}

/** What is made of the bytes of stored images for a batch. */
export interface PixelForm {
  /** What the pixels at this position are like: pixels of the same image and of forms of the same name are equal. */
  nameAt(position: number): string;
  /** The engine shall read those of the image at this position where the buffer holds them, which may be closed afterwards. */
  place(position: number, pixels: StagingBuffer): void;
  /**
   * Makes pixels of stored images, in the order of the images, each in a buffer of its own.
   *
   * @throws Refusal with the position in the batch as `image`
   */
  load(images: readonly LoadedImage[]): Promise<StagingBuffer[]>;
}

/** Of images that are stored as the engine takes them. */
export function pixelsAsStored(place: PixelForm['place']): PixelForm {
  return {
    nameAt: () => AS_STORED,
    place,
    load: async (images) => images.map(({ data }) => stage([data])),
  };
}

/** An image of a batch whose pixels are not in memory. */
interface Absent {
  readonly image: StoredImage;
  /** Of the image in the batch. */
  readonly position: number;
}

/** Bytes of stored images that are read at once, or a single one. */
const GROUP_BYTES = 32 * 1024 * 1024;

/** Such groups at a time, of all calls together. */
const groupSlot = limitConcurrency(2);

/**
 * Gives the pixels of the images that a batch refers to. Those in memory are given at once; the files of the others are read, group by
 * group, so that a batch of large files does not take memory for all of them.
 *
 * @throws Refusal UNKNOWN_IMAGES of those whose files turn out to be damaged; what `form` throws; the signal's reason
 */
export async function placeReferredPixels(
  store: ImageStore,
  { images }: ReferredImages,
  form: PixelForm,
  signal: AbortSignal,
): Promise<void> {
  const absent: Absent[] = [];
  for (const [position, image] of images.entries()) {
    if (image === null) continue;
    const pixels = store.pixels.find(image, form.nameAt(position));
    if (pixels === null) absent.push({ image, position });
    else form.place(position, pixels);
  }
  if (absent.length === 0) return;
  const damaged = new Set<number>();
  const keep = (position: number, pixels: StagingBuffer): void => {
    const image = images[position];
    if (image && !image.dropped) store.pixels.keep(image, form.nameAt(position), pixels);
    else pixels.close();
  };
  for (const group of groups(absent)) {
    await groupSlot(async () => {
      signal.throwIfAborted();
      const loaded = await readGroup(store, group, damaged);
      if (loaded.length === 0) return;
      const made = await form.load(loaded);
      for (const [index, { position }] of loaded.entries()) {
        const pixels = made[index] as StagingBuffer;
        form.place(position, pixels);
        keep(position, pixels);
      }
    });
  }
  if (damaged.size > 0) throw refuseUnknown(images.map((_, position) => damaged.has(position)));
}

async function readGroup(store: ImageStore, group: readonly Absent[], damaged: Set<number>): Promise<LoadedImage[]> {
  const read = await Promise.all(group.map(async ({ image, position }) => ({ position, data: await store.read(image) })));
  return read.flatMap(({ position, data }) => {
    if (data !== null) return [{ position, data }];
    damaged.add(position);
    return [];
  });
}

function* groups(absent: readonly Absent[]): Generator<Absent[], void, undefined> {
  let group: Absent[] = [];
  let bytes = 0;
  for (const one of absent) {
    if (group.length > 0 && bytes + one.image.bytes > GROUP_BYTES) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(one);
    bytes += one.image.bytes;
  }
  yield group;
}
