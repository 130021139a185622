import type { ImageOnDisk } from './image_folder.js';
import type { ImageName } from './image_name.js';
import type { CachedPixels, PixelSource } from './pixel_cache.js';

/** An image of the store. */
export class StoredImage implements ImageOnDisk, PixelSource {
  readonly pixels = new Map<string, CachedPixels>();
  /** Batches that refer to it and have not got its pixels yet. */
  users = 0;
  /** Whether the store does not know it any more. */
  dropped = false;

  constructor(
    readonly name: ImageName,
    readonly bytes: number,
  ) {}
}

/** Images that a batch refers to: they stay until it is released. */
export interface ReferredImages {
  /** In the order asked for; null where no image was named. */
  readonly images: readonly (StoredImage | null)[];
  /** Repeated calls are allowed. */
  release(): void;
}

/** An image that has come whole, with the name that its bytes have. */
export interface ArrivedImage {
  readonly name: ImageName;
  readonly data: Uint8Array;
}
