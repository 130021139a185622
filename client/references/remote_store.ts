import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { ImageBatch, PixelFormat } from '../../generated/dlclassifier/v1/image.js';
import { ImageServiceService as service } from '../../generated/dlclassifier/v1/image_service.js';
import { type GetStoreInfoResponse, ImageNames, PutImagesRequest } from '../../generated/dlclassifier/v1/image_store.js';
import { TransportError } from '../errors/error.js';
import { ImageStoreUnavailableError, LimitExceededError, ServerBusyError } from '../errors/refusals.js';
import { type CallOptions, untilAborted } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { withinTime } from '../transport/time_limit.js';
import { uploadBody } from '../upload/body.js';
import { send } from '../upload/send.js';
import type { HashedImage } from './hashed_image.js';
import { ImageDigests } from './image_digests.js';

/** How the bytes of images are to be read: a part of their names. */
export type ImageKind = Pick<ImageBatch, 'format' | 'width' | 'height' | 'channels'>;

/** Images that one call may name: part of the contract. */
export const REFERENCES_PER_CALL = 16_384;

/** Bytes of images that are put in one call, or a single image. */
const PUT_BYTES = 16 * 1024 * 1024;

/** Part of the store that the images of one client may take: the rest is room for those of others. */
const OUR_SHARE = 0.9;

/** How often an image is put: the second time because it was evicted or damaged. */
const PUTS = 2;

/** What is known of an image: `belief` is that of the store when the image was known to be there, `puts` counts those that succeeded. */
interface Known {
  belief: number;
  puts: number;
}

/** The belief of no time. */
const NEVER = -1;

function kindName({ format, width, height, channels }: ImageKind): string {
  return `${format} ${width} ${height} ${channels}`;
}

/** Of an image among those of its kind. */
function imageName({ digest }: HashedImage): string {
  return digest.toString('latin1');
}

/** Of an image among those of all kinds. */
function nameOf(kind: ImageKind, image: HashedImage): string {
  return `${kindName(kind)} ${imageName(image)}`;
}

const stores = new WeakMap<Connection, RemoteStore>();

/**
 * The server's store as this client knows it. All that it believes is a hint: the server may have been restarted, or may have made room
 * for others. What does not fit is sent with each batch, and a warning says so, once for each cause.
 */
export class RemoteStore {
  readonly digests = new ImageDigests();
  readonly #known = new Map<string, Map<string, Known>>();
  /** Of images that are being put, whichever batch they are for: a later batch waits for them. */
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #warned = new Set<string>();
  #info: Promise<GetStoreInfoResponse | null> | null = null;
  #belief = 0;
  /** Bytes of the images that this client uses. */
  #used = 0;
  /** Set when the server could not store an image, because its disk is full for instance: what it has is named, nothing more is put. */
  #full = false;

  private constructor(private readonly connection: Connection) {}

  /** The one of a connection: all its classifiers share what is known. */
  static of(connection: Connection): RemoteStore {
    const present = stores.get(connection);
    if (present !== undefined) return present;
    const added = new RemoteStore(connection);
    stores.set(connection, added);
    return added;
  }

  /**
   * Puts images that are not stored, as far as there is room.
   *
   * @returns for each image, whether a batch may name it
   */
  async ensure(kind: ImageKind, images: readonly HashedImage[], options: CallOptions): Promise<boolean[]> {
    const store = await this.#store(options);
    if (store === null) return images.map(() => false);
    await this.#settled(kind, images, options);
    const unsure = images.filter((image) => !this.#isStored(kind, image));
    for (let start = 0; start < unsure.length; start += REFERENCES_PER_CALL) {
      await this.#ensureSome(kind, unsure.slice(start, start + REFERENCES_PER_CALL), store, options);
    }
    return images.map((image) => this.#isStored(kind, image));
  }

  /** An image that was believed to be stored was not: nothing is believed any more. */
  forget(): void {
    this.#belief++;
  }

  async #ensureSome(kind: ImageKind, unsure: readonly HashedImage[], store: GetStoreInfoResponse, options: CallOptions): Promise<void> {
    const names = ImageNames.fromPartial({ ...kind, sha256: unsure.map(({ digest }) => digest) });
    const { missing } = await this.connection.unary(service.hasImages, { images: names }, options);
    const isMissing = new Set(missing);
    for (const [position, image] of unsure.entries()) if (!isMissing.has(position)) this.#believe(kind, image);
    // Chosen at once, because other batches are being prepared at the same time.
    const chosen = new Map<string, HashedImage>();
    for (const position of missing) {
      const image = unsure[position];
      if (image === undefined || this.#full || this.#isStored(kind, image)) continue;
      const name = nameOf(kind, image);
      if (!chosen.has(name) && !this.#underWay.has(name) && this.#mayPut(kind, image, store)) chosen.set(name, image);
    }
    const puts = this.#putAll(kind, [...chosen.values()], options);
    for (const name of chosen.keys()) this.#underWay.set(name, puts);
    try {
      await puts;
    } finally {
      for (const name of chosen.keys()) this.#underWay.delete(name);
    }
    await this.#settled(kind, unsure, options);
  }

  /** Waits for what other batches put of these, whatever comes of it, and no longer than a put of ours may take. */
  async #settled(kind: ImageKind, images: readonly HashedImage[], options: CallOptions): Promise<void> {
    if (this.#underWay.size === 0) return;
    const puts = new Set(images.map((image) => this.#underWay.get(nameOf(kind, image))));
    const limit = this.connection.transferTimeout(options);
    const over = new AbortController();
    const waits: Promise<unknown>[] = [Promise.allSettled(puts)];
    if (limit !== Number.POSITIVE_INFINITY) waits.push(sleep(limit, undefined, { signal: over.signal }).catch(() => {}));
    try {
      await untilAborted(Promise.race(waits), options.signal);
    } finally {
      over.abort();
    }
  }

  /** In groups; none after one for which the server has no place. */
  async #putAll(kind: ImageKind, images: readonly HashedImage[], options: CallOptions): Promise<void> {
    let group: HashedImage[] = [];
    let bytes = 0;
    const put = async () => {
      if (group.length > 0 && !this.#full) await this.#put(kind, group, options);
      group = [];
      bytes = 0;
    };
    for (const image of images) {
      if (bytes + image.byteLength > PUT_BYTES) await put();
      group.push(image);
      bytes += image.byteLength;
    }
    await put();
  }

  async #put(kind: ImageKind, images: readonly HashedImage[], options: CallOptions): Promise<void> {
    const parts: Uint8Array[] = [];
    for (const image of images) parts.push(await image.load());
    const encodedSizes = kind.format === PixelFormat.PIXEL_FORMAT_ENCODED ? parts.map((part) => part.byteLength) : [];
    const upload = {
      method: service.putImages,
      header: {
        images: ImageBatch.fromPartial({ ...kind, imageCount: parts.length, encodedSizes }),
        sha256: images.map(({ digest }) => digest),
      },
      body: uploadBody(parts),
      message: (fields: Pick<PutImagesRequest, 'header' | 'commit'>): PutImagesRequest => PutImagesRequest.fromPartial(fields),
    };
    try {
      await send(this.connection, upload, options);
    } catch (error) {
      // For the moment there is no room: these images are sent with their batch.
      if (error instanceof ServerBusyError) return;
      if (!(error instanceof ImageStoreUnavailableError) && !(error instanceof LimitExceededError)) throw error;
      this.#full = true;
      this.#warnOnce('full', `images that are not stored yet are sent with every batch: ${error.message}`);
      return;
    }
    for (const image of images) {
      this.#believe(kind, image);
      this.#remember(kind, image).puts++;
    }
  }

  #mayPut(kind: ImageKind, image: HashedImage, { maximumBytes, maximumImageBytes }: GetStoreInfoResponse): boolean {
    if (image.byteLength > Number(maximumImageBytes)) {
      this.#warnOnce('size', `images of more than ${maximumImageBytes} bytes are sent with every batch: the server does not store them`);
      return false;
    }
    const known = this.#find(kind, image);
    if (known !== undefined && known.puts >= PUTS) {
      this.#warnOnce(
        'evicted',
        'images that were stored have made room for others; they are sent with every batch: the store is too small',
      );
      return false;
    }
    if (known === undefined && this.#used + image.byteLength > OUR_SHARE * Number(maximumBytes)) {
      const problem = `the data set is larger than the server's store (${maximumBytes} bytes)`;
      this.#warnOnce(
        'capacity',
        `${problem}: what does not fit is sent with every batch; start the server with a larger --max-stored-bytes`,
      );
      return false;
    }
    // Its room is taken from now on.
    this.#remember(kind, image);
    return true;
  }

  #store(options: CallOptions): Promise<GetStoreInfoResponse | null> {
    // Others wait for it, too: no caller's own signal or time ends it for all.
    this.#info ??= this.#ask().catch((error: unknown) => {
      this.#info = null;
      throw error;
    });
    return withinTime(untilAborted(this.#info, options.signal), options.timeoutMs);
  }

  async #ask(): Promise<GetStoreInfoResponse | null> {
    try {
      const info = await this.connection.unary(service.getStoreInfo, {}, {});
      if (info.problem === '') return info;
      this.#warnOnce('absent', `images are sent with every batch: ${info.problem}`);
    } catch (error) {
      if (!(error instanceof TransportError) || error.status !== status.UNIMPLEMENTED) throw error;
      this.#warnOnce('absent', 'images are sent with every batch: this server is older than its store of images');
    }
    return null;
  }

  #warnOnce(cause: string, message: string): void {
    if (this.#warned.has(cause)) return;
    this.#warned.add(cause);
    this.connection.warn(message);
  }

  #isStored(kind: ImageKind, image: HashedImage): boolean {
    return this.#find(kind, image)?.belief === this.#belief;
  }

  #believe(kind: ImageKind, image: HashedImage): void {
    this.#remember(kind, image).belief = this.#belief;
  }

  #remember(kind: ImageKind, image: HashedImage): Known {
    const present = this.#find(kind, image);
    if (present !== undefined) return present;
    const added = { belief: NEVER, puts: 0 };
    this.#ofKind(kind).set(imageName(image), added);
    this.#used += image.byteLength;
    return added;
  }

  #find(kind: ImageKind, image: HashedImage): Known | undefined {
    return this.#ofKind(kind).get(imageName(image));
  }

  #ofKind(kind: ImageKind): Map<string, Known> {
    const name = kindName(kind);
    const present = this.#known.get(name);
    if (present !== undefined) return present;
    const added = new Map<string, Known>();
    this.#known.set(name, added);
    return added;
  }
}
