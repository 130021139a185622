import { refuse } from '../errors/refusal.js';

/**
 * Waits for what a client does next, but not for good: a client that neither goes on nor leaves must not hold memory for ever. One whose
 * machine or line is gone is noticed by the connection's keepalive; this is for one that is stuck.
 */
export class IdleLimit {
  #timer: NodeJS.Timeout | null = null;
  #giveUp: (() => void) | null = null;

  constructor(private readonly seconds: number) {}

  /**
   * @param problem what did not happen, for the refusal
   * @throws Refusal CLIENT_STALLED; what `next` rejects with
   */
  within<Result>(next: Promise<Result>, problem: () => string): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#giveUp = () => reject(refuse('CLIENT_STALLED', { problem: problem(), seconds: this.seconds }));
      // One timer for all waits: a new one for each piece of an upload would cost more than receiving it.
      if (this.#timer === null) this.#timer = setTimeout(() => this.#giveUp?.(), this.seconds * 1000).unref();
      else this.#timer.refresh();
      const settle = (how: () => void) => {
        this.#giveUp = null;
        how();
      };
      next.then(
        (result) => settle(() => resolve(result)),
        (error) => settle(() => reject(error)),
      );
    });
  }

  /** Something has come: what is waited for has the whole time again. */
  extend(): void {
    this.#timer?.refresh();
  }

  /** Nothing is waited for any more. */
  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
