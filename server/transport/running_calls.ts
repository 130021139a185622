import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { type Refusal, refuse } from '../errors/refusal.js';

/** Why the signal of a call is aborted whose client cancelled, left, or set a deadline that passed. Nobody hears the answer. */
export class CallCancelled extends Error {
  override readonly name = 'CallCancelled';
  readonly status: StatusObject = { code: status.CANCELLED, details: 'cancelled', metadata: new Metadata() };

  constructor() {
    super('the client cancelled the call, left, or its deadline passed');
  }
}

/** The calls under way: each has an AbortController, and a server that stops waits until the last has ended. */
export class RunningCalls {
  readonly #controllers = new Set<AbortController>();
  #stopping: Refusal | null = null;
  #onDrained: (() => void) | null = null;
  #drained: Promise<void> | null = null;

  get count(): number {
    return this.#controllers.size;
  }

  /**
   * Runs one call; its signal is aborted when the client goes or the server stops.
   *
   * @throws Refusal SERVER_STOPPING, and what `work` throws
   */
  async run<Result>(work: (controller: AbortController) => Promise<Result>): Promise<Result> {
    if (this.#stopping !== null) throw this.#stopping;
    const controller = new AbortController();
    this.#controllers.add(controller);
    try {
      return await work(controller);
    } finally {
      this.#controllers.delete(controller);
      if (this.#controllers.size === 0) this.#onDrained?.();
    }
  }

  /**
   * Refuses new calls and aborts those under way with SERVER_STOPPING: an upload without its commit ends, a step whose commit has come
   * no longer looks at its signal and is finished. Resolves when the last call has ended.
   */
  async stop(): Promise<void> {
    this.#stopping ??= refuse('SERVER_STOPPING');
    for (const controller of this.#controllers) controller.abort(this.#stopping);
    if (this.#controllers.size === 0) return;
    this.#drained ??= new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    await this.#drained;
  }
}
