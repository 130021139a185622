import { refuse } from '../errors/refusal.js';

/**
 * What all uploads under way may hold together, so that many calls, each within its own limit, cannot exhaust the machine's memory.
 * The declared size counts from the header on, whether or not the bytes have come.
 */
export class UploadBudget {
  #reserved = 0;

  constructor(
    /** Bytes. */
    readonly maximum: number,
  ) {}

  /** Bytes that are reserved now. */
  get reserved(): number {
    return this.#reserved;
  }

  /**
   * @returns gives the bytes back; repeated calls are allowed
   * @throws Refusal SERVER_BUSY; LIMIT_EXCEEDED where it could never be had
   */
  reserve(bytes: number): () => void {
    if (bytes > this.maximum) throw refuse('LIMIT_EXCEEDED', { limit: 'upload_bytes_total', got: bytes, maximum: this.maximum });
    if (this.#reserved + bytes > this.maximum) throw refuse('SERVER_BUSY', { limit: 'upload_bytes_total' });
    this.#reserved += bytes;
    let held = bytes;
    return () => {
      this.#reserved -= held;
      held = 0;
    };
  }
}
