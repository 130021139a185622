import { isServerGone } from '../errors/gone.js';
import { HandleClearedError, UnknownHandleError } from '../errors/refusals.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';

/** Something that the server holds for us until we clear it: what `await using` does at the end of a block. */
export abstract class Handle implements AsyncDisposable {
  #cleared = false;

  /** @param handle 128 random bits in text: who knows it may use it */
  constructor(
    protected readonly connection: Connection,
    readonly handle: string,
  ) {}

  /** Whether this object has cleared its handle. */
  get cleared(): boolean {
    return this.#cleared;
  }

  /** Frees it on the server. Repeated calls do nothing. */
  abstract clear(options?: CallOptions): Promise<void>;

  /** For a handle that was cleared along with others. */
  markCleared(): void {
    this.#cleared = true;
  }

  protected async clearOnce(clear: () => Promise<unknown>): Promise<void> {
    if (this.#cleared) return;
    await clear();
    this.#cleared = true;
  }

  /**
   * Clears it. One that has expired on the server is what we want, too; one whose server cannot be reached, hangs or stops expires by
   * itself, and must not hide the error that the block ended with.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.clear();
    } catch (error) {
      const gone = error instanceof HandleClearedError || error instanceof UnknownHandleError || isServerGone(error);
      if (!gone) throw error;
      this.#cleared = true;
    }
  }
}
