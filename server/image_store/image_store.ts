import { refuse } from '../errors/refusal.js';
import { limitConcurrency } from '../images/concurrency.js';
import { stage } from '../images/decode.js';
import type { Logger } from '../log.js';
import type { ImageFolder, ImageOnDisk } from './image_folder.js';
import type { ImageName } from './image_name.js';
import { OrderOfUse } from './order_of_use.js';
import type { PixelCache } from './pixel_cache.js';
import { type ArrivedImage, type ReferredImages, StoredImage } from './stored_image.js';
import { refuseUnknown } from './unknown_images.js';

export interface ImageStoreOptions {
  /** Null where none can be used: nothing is stored. */
  readonly folder: ImageFolder | null;
  /** Why nothing can be stored; empty where it can. */
  readonly problem: string;
  /** Bytes of all stored images. */
  readonly maximumBytes: number;
  /** Bytes of one. */
  readonly maximumImageBytes: number;
  readonly pixels: PixelCache;
  readonly log: Logger;
}

/** The form of pixels that are stored as the engine takes them. */
export const AS_STORED = '';

/** Files that are written at a time, and read: libuv has 4 threads. */
const WRITES_AT_A_TIME = 2;
const READS_AT_A_TIME = 2;

/**
 * The images that are stored on this server: in a folder, bounded, the least recently used making room for new ones. The table in
 * memory says what is stored; what the files turn out to be is found when they are read.
 */
export class ImageStore {
  readonly pixels: PixelCache;
  readonly maximumBytes: number;
  readonly maximumImageBytes: number;
  readonly problem: string;
  /** In the order of use: a Map keeps that in which its keys were added. */
  readonly #images = new Map<ImageName, StoredImage>();
  /** Being written. */
  readonly #arriving = new Map<ImageName, Promise<unknown>>();
  /** Files that are being removed: a new file of the name must wait. */
  readonly #leaving = new Map<ImageName, Promise<void>>();
  readonly #writeSlot = limitConcurrency(WRITES_AT_A_TIME);
  readonly #readSlot = limitConcurrency(READS_AT_A_TIME);
  readonly #folder: ImageFolder | null;
  readonly #log: Logger;
  readonly #order: OrderOfUse;
  #bytes = 0;
  #evicted = 0;
  #damaged = 0;

  constructor(options: ImageStoreOptions, found: readonly ImageOnDisk[]) {
    this.pixels = options.pixels;
    this.maximumBytes = options.maximumBytes;
    this.maximumImageBytes = options.maximumImageBytes;
    this.problem = options.problem;
    this.#folder = options.folder;
    this.#log = options.log;
    this.#order = new OrderOfUse(options.folder, () => [...this.#images.keys()], options.log);
    for (const { name, bytes } of found) this.#admit(new StoredImage(name, bytes));
    // Less may be stored than when they came.
    this.#evictDownTo(this.maximumBytes);
  }

  /** Images that are stored. */
  get count(): number {
    return this.#images.size;
  }

  /** Their bytes, those that are being written included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Images that made room for others. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Images that were dropped because their file was damaged or gone. */
  get damaged(): number {
    return this.#damaged;
  }

  /** Positions of the names that are not stored; the others count as used now. */
  missing(names: readonly ImageName[]): number[] {
    return names.flatMap((name, position) => (this.#use(name) === undefined ? [position] : []));
  }

  /**
   * Looks images up and keeps them until they are released.
   *
   * @param names null where no image is named
   * @throws Refusal UNKNOWN_IMAGES with all that are not stored
   */
  refer(names: readonly (ImageName | null)[]): ReferredImages {
    const images = names.map((name) => (name === null ? null : (this.#use(name) ?? undefined)));
    if (images.includes(undefined)) throw refuseUnknown(images.map((image) => image === undefined));
    const referred = images as readonly (StoredImage | null)[];
    for (const image of referred) if (image !== null) image.users++;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      for (const image of referred) if (image !== null) this.#release(image);
    };
    return { images: referred, release };
  }

  /**
   * Stores images whose bytes have the digests of their names.
   *
   * @returns how many were not stored before
   * @throws Refusal IMAGE_STORE_UNAVAILABLE, LIMIT_EXCEEDED, SERVER_BUSY where images in use leave no room
   */
  async add(images: readonly ArrivedImage[]): Promise<number> {
    const folder = this.expectAvailable();
    const distinct = [...new Map(images.map((image) => [image.name, image])).values()];
    const bytes = distinct.reduce((sum, { name, data }) => sum + (this.#images.has(name) ? 0 : data.byteLength), 0);
    if (bytes > this.maximumBytes) throw refuse('LIMIT_EXCEEDED', { limit: 'stored_bytes', got: bytes, maximum: this.maximumBytes });
    let added = 0;
    let failure: { readonly error: unknown } | null = null;
    const remaining = distinct.values();
    const work = async () => {
      // A call never has more than its workers in the queue for the disk, so that one with many images does not keep others waiting.
      for (const image of remaining) {
        if (failure !== null) return;
        if (await this.#writeSlot(() => this.#add(folder, image))) added++;
      }
    };
    const worker = () =>
      work().catch((error: unknown) => {
        failure ??= { error };
      });
    await Promise.all(Array.from({ length: WRITES_AT_A_TIME }, worker));
    if (failure !== null) throw (failure as { readonly error: unknown }).error;
    return added;
  }

  /** The bytes of an image; null, and the image is dropped, where its file does not hold them any more. */
  async read(image: StoredImage): Promise<Uint8Array | null> {
    const folder = this.#folder;
    const data = folder === null ? null : await this.#readSlot(() => folder.read(image));
    if (data === null && !image.dropped) {
      this.#damaged++;
      this.#log.warn({ image: image.name }, 'a stored image was damaged or gone, and is dropped');
      this.#drop(image);
    }
    return data;
  }

  /** @returns how many of these were stored */
  delete(names: readonly ImageName[]): number {
    const stored = [...new Set(names)].map((name) => this.#images.get(name)).filter((image) => image !== undefined);
    for (const image of stored) this.#drop(image);
    return stored.length;
  }

  /** @returns how many were stored */
  deleteAll(): number {
    return this.delete([...this.#images.keys()]);
  }

  /** @throws Refusal IMAGE_STORE_UNAVAILABLE */
  expectAvailable(): ImageFolder {
    if (this.#folder === null) throw refuse('IMAGE_STORE_UNAVAILABLE', { problem: this.problem });
    return this.#folder;
  }

  /** Waits for what is being written, and remembers the order of use. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#arriving.values(), ...this.#leaving.values()]);
    await this.#order.close();
  }

  #use(name: ImageName): StoredImage | undefined {
    const image = this.#images.get(name);
    if (image === undefined) return undefined;
    this.#images.delete(name);
    this.#images.set(name, image);
    this.#order.changed();
    return image;
  }

  #admit(image: StoredImage): void {
    this.#images.set(image.name, image);
    this.#bytes += image.bytes;
  }

  /** Whether it was not stored before. */
  async #add(folder: ImageFolder, image: ArrivedImage): Promise<boolean> {
    for (;;) {
      if (this.#use(image.name) !== undefined) return false;
      const arriving = this.#arriving.get(image.name);
      if (arriving === undefined) break;
      // Another call is storing it; where that fails, this one tries itself.
      await arriving.catch(() => {});
    }
    const writing = this.#write(folder, image);
    this.#arriving.set(image.name, writing);
    try {
      await writing;
    } finally {
      this.#arriving.delete(image.name);
    }
    return true;
  }

  async #write(folder: ImageFolder, { name, data }: ArrivedImage): Promise<void> {
    const bytes = data.byteLength;
    if (!this.#evictDownTo(this.maximumBytes - bytes)) throw refuse('SERVER_BUSY', { limit: 'stored_bytes' });
    this.#bytes += bytes;
    try {
      await this.#leaving.get(name);
      await folder.write({ name, bytes }, data);
    } catch (error) {
      this.#log.error({ err: error }, 'an image could not be stored');
      throw refuse('IMAGE_STORE_UNAVAILABLE', { problem: (error as NodeJS.ErrnoException).code ?? 'unknown cause' }, { cause: error });
    } finally {
      this.#bytes -= bytes;
    }
    const image = new StoredImage(name, bytes);
    this.#admit(image);
    this.#order.changed();
    if (!name.endsWith('.encoded')) this.pixels.keep(image, AS_STORED, stage([data]));
  }

  /**
   * Drops the least recently used images until no more than so many bytes are stored.
   *
   * @returns false, and none is dropped, where that would take images in use
   */
  #evictDownTo(bytes: number): boolean {
    const evicted: StoredImage[] = [];
    let left = this.#bytes;
    for (const image of this.#images.values()) {
      if (left <= bytes) break;
      if (image.users > 0) continue;
      evicted.push(image);
      left -= image.bytes;
    }
    if (left > bytes) return false;
    for (const image of evicted) this.#drop(image);
    this.#evicted += evicted.length;
    return true;
  }

  #drop(image: StoredImage): void {
    this.#images.delete(image.name);
    this.#bytes -= image.bytes;
    this.#order.changed();
    image.dropped = true;
    this.pixels.drop(image);
    if (image.users === 0) this.#removeFile(image);
  }

  #release(image: StoredImage): void {
    image.users--;
    if (image.users === 0 && image.dropped) this.#removeFile(image);
  }

  #removeFile(image: StoredImage): void {
    // Stored anew meanwhile: the file is the new one's.
    if (this.#folder === null || this.#images.has(image.name) || this.#arriving.has(image.name)) return;
    const leaving = this.#folder.remove(image).catch((error: unknown) => {
      this.#log.warn({ err: error, image: image.name }, 'the file of an image could not be removed');
    });
    this.#leaving.set(image.name, leaving);
    void leaving.then(() => {
      if (this.#leaving.get(image.name) === leaving) this.#leaving.delete(image.name);
    });
  }
}
