import { status } from '@grpc/grpc-js';
import { type TransportError, transportError } from '../errors/error.js';

/** Ends a call when a batch, or the call's end, is under way and no answer has come for too long. */
export class AnswerWatch {
  #timer: NodeJS.Timeout | null = null;
  /** Set when it ended the call. */
  expired: TransportError | null = null;

  constructor(
    /** Infinity is no limit. */
    private readonly milliseconds: number,
    private readonly end: () => void,
  ) {}

  /** A batch is being sent, or the end of the call. */
  expect(): void {
    if (this.#timer === null) this.#start();
  }

  /** An answer has come; `more` says whether another is expected. */
  answered(more: boolean): void {
    this.close();
    if (more) this.#start();
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #start(): void {
    if (this.milliseconds === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => {
      this.expired = transportError(status.DEADLINE_EXCEEDED, `no answer to a batch within ${this.milliseconds} ms`, undefined);
      this.end();
    }, this.milliseconds);
  }
}
