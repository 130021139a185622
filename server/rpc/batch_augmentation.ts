import type { TrainBatchHeader } from '../../generated/dlclassifier/v1/classifier.js';
import type { StagingBuffer } from '../../native/binding.js';
import type { ImagesDescription } from '../classifier/admission.js';
import { type AugmentationRequest, augment, augmentationRequest } from '../images/augmentation.js';
import type { Settings } from '../parameters/settings.js';
import type { ServerState } from '../state.js';
import { type ReceivedImages, stagingBuffer } from './image_upload.js';

const NEVER_ABORTED = new AbortController().signal;

/** The random variation of one batch, with the memory for its result. */
export class BatchAugmentation {
  readonly #release: () => void;
  #buffer: StagingBuffer | null = null;

  private constructor(
    private readonly server: ServerState,
    private readonly request: AugmentationRequest,
    /** Bytes of the varied images. */
    bytes: number,
  ) {
    this.#release = server.uploads.reserve(bytes);
  }

  /**
   * @returns null where the header asks for none
   * @throws Refusal INVALID_REQUEST, SERVER_BUSY
   */
  static admit(server: ServerState, header: TrainBatchHeader, images: ImagesDescription, settings: Settings): BatchAugmentation | null {
    if (header.augmentation === undefined) return null;
    const { imageWidth: width, imageHeight: height, imageChannels: channels } = settings;
    const request = augmentationRequest(header.augmentation, images, { width, height });
    const counter = request.counter ?? header.expectedStep ?? null;
    return new BatchAugmentation(server, { ...request, counter }, images.count * width * height * channels);
  }

  /** Whether what is drawn depends on the step that the batch will be, so that it is varied only when its turn has come. */
  get waitsForStep(): boolean {
    return this.request.counter === null;
  }

  /**
   * The images, varied.
   *
   * @param step steps applied before this batch's
   */
  async apply({ description, pixels }: ReceivedImages, step: number): Promise<ReceivedImages> {
    const { width, height } = description;
    const shape = { width, height, channels: description.channels === 1 ? 1 : 3 } as const;
    const augmentation = { ...this.request, counter: this.request.counter ?? BigInt(step) };
    const makeBuffer = (bytes: number) => {
      this.#buffer = stagingBuffer(this.server, bytes, this.#release);
      return this.#buffer;
    };
    return { description, pixels: await augment(pixels, shape, augmentation, makeBuffer, NEVER_ABORTED) };
  }

  /** Frees the memory, also that of the result. */
  close(): void {
    this.#buffer?.close();
    this.#release();
  }
}
