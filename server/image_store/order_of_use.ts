import type { Logger } from '../log.js';
import type { ImageFolder } from './image_folder.js';
import type { ImageName } from './image_name.js';

/** Milliseconds between two times that the order is written. */
const INTERVAL = 5 * 60_000;

/** Keeps the order in which images were used on disk, where a restart finds it: written from time to time, and at the end. */
export class OrderOfUse {
  readonly #timer: NodeJS.Timeout;
  #isStale = false;

  /** @param names gives those of all images, the least recently used first */
  constructor(
    private readonly folder: ImageFolder | null,
    private readonly names: () => readonly ImageName[],
    private readonly log: Logger,
  ) {
    this.#timer = setInterval(() => void this.#save(), INTERVAL).unref();
  }

  /** An image was used, or has come or gone. */
  changed(): void {
    this.#isStale = true;
  }

  /** Writes it a last time. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#save();
  }

  async #save(): Promise<void> {
    if (!this.#isStale || this.folder === null) return;
    this.#isStale = false;
    try {
      await this.folder.writeOrder(this.names());
    } catch (error) {
      this.log.warn({ err: error }, 'the order in which images were used could not be written');
    }
  }
}
