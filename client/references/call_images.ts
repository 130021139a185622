import { type ImageBatch, PixelFormat } from '../../generated/dlclassifier/v1/image.js';
import { UnknownImagesError } from '../errors/refusals.js';
import { type ImageSize, type Images, isImageFile, isPixelBatch } from '../images/image.js';
import { type ImageOptions, type ImagePayload, imagePayload } from '../images/payload.js';
import type { CallOptions } from '../transport/call_options.js';
import { uploadBody } from '../upload/body.js';
import { type ReferableImages, referableImages } from './referable_images.js';
import { REFERENCES_PER_CALL, type RemoteStore } from './remote_store.js';

/** Bytes of pixels below which naming an image saves too little. */
const WORTH_NAMING = 4096;

/** Refusals of references after which everything is sent. */
const REFUSALS = 2;

const NOTHING = new Uint8Array();

/** What the images of a call need beside themselves. */
export interface CallImagesOptions extends ImageOptions, CallOptions {
  /** Asks for what the classifier takes; only called if a file is decoded here. */
  readonly size: () => Promise<ImageSize>;
}

/**
 * The images of one call: named where the server has stored them, else stored if that pays and there is room, else sent. Where the
 * server turns out not to know one that is named, the next payload has it in another way; the third has all images.
 */
export class CallImages {
  #refusals = 0;
  #payload: Promise<ImagePayload> | null = null;

  constructor(
    private readonly store: RemoteStore,
    private readonly images: Images,
    private readonly options: CallImagesOptions,
  ) {}

  /** The same until {@link refused} is called. */
  payload(): Promise<ImagePayload> {
    this.#payload ??= this.#make().catch((error: unknown) => {
      this.#payload = null;
      throw error;
    });
    return this.#payload;
  }

  /** Whether images that were refused by name can be sent in another way. */
  get hasAnotherWay(): boolean {
    return this.#refusals < REFUSALS;
  }

  /** References were refused: of these images, or of others, which says that the store is not what it was. */
  refused(ours: boolean): void {
    if (ours) this.#refusals++;
    this.#payload = null;
  }

  /** Makes a call with the images, again where the server does not know one that is named. */
  async send<Response>(attempt: (payload: ImagePayload) => Promise<Response>): Promise<Response> {
    for (;;) {
      try {
        return await attempt(await this.payload());
      } catch (error) {
        if (!(error instanceof UnknownImagesError) || !this.hasAnotherWay) throw error;
        this.store.forget();
        this.refused(true);
      }
    }
  }

  async #make(): Promise<ImagePayload> {
    const { images, store, options } = this;
    const { size, signal, timeoutMs } = options;
    if (this.#refusals >= REFUSALS || !isWorthNaming(images, options)) return await imagePayload(images, size, options, signal);
    return await namedPayload(await referableImages(images, size, options, store.digests, signal), store, { signal, timeoutMs });
  }
}

async function namedPayload({ header, images }: ReferableImages, store: RemoteStore, options: CallOptions): Promise<ImagePayload> {
  const { format, width, height, channels } = header;
  const kind = { format, width, height, channels };
  // Those that a call cannot name any more are sent.
  const isStored = await store.ensure(kind, images.slice(0, REFERENCES_PER_CALL), options);
  const sent = images.filter((_, index) => isStored[index] !== true);
  const parts: Uint8Array[] = [];
  for (const image of sent) parts.push(await image.load());
  const references = images.map(({ digest }, index) => (isStored[index] === true ? digest : NOTHING));
  const named: ImageBatch = {
    ...header,
    encodedSizes: format === PixelFormat.PIXEL_FORMAT_ENCODED ? parts.map((part) => part.byteLength) : [],
    references: sent.length === images.length ? [] : references,
  };
  return { images: named, body: uploadBody(parts) };
}

function isWorthNaming(images: Images, { references = 'auto' }: ImageOptions): boolean {
  if (references !== 'auto') return references === 'always';
  if (isPixelBatch(images)) return false;
  return images.length > 0 && images.every((image) => isImageFile(image) || image.data.byteLength >= WORTH_NAMING);
}
