import { randomUUID } from 'node:crypto';
import { setParams } from '../classifier/set_params.js';
import { TrainResult } from '../classifier/train_result.js';
import { ServerBusyError } from '../errors/refusals.js';
import { type ImageOptions, imagePayload } from '../images/payload.js';
import type { CallOptions } from '../transport/call_options.js';
import { type AugmentationOptions, encodeAugmentation } from './augmentation.js';
import type { LabelledBatch } from './labelled_batch.js';
import { withRetries } from './retry.js';
import { encodeLabels, sendStep } from './step_call.js';
import { DEFAULT_RETRIES, type StepTarget } from './train_batch.js';

interface PipelineOptions extends CallOptions, ImageOptions, AugmentationOptions {
  readonly retries?: number | undefined;
}

/**
 * Steps under way, in order. Each decodes and sends its images at once, but commits only when the step before it has been applied: until
 * then nothing of it counts on the server. expected_step keeps the order even against other callers, request ids keep a repeated call
 * from training twice.
 */
export class StepPipeline {
  readonly #steps: Promise<TrainResult>[] = [];
  readonly #stop = new AbortController();
  readonly #name = randomUUID();
  #last: Promise<unknown> = Promise.resolve();
  #nextStep: number;
  #crowded = false;

  constructor(
    private readonly target: StepTarget,
    private readonly options: PipelineOptions,
    firstStep: number,
  ) {
    this.#nextStep = firstStep;
  }

  get length(): number {
    return this.#steps.length;
  }

  /** The oldest step's result to be. */
  get head(): Promise<TrainResult> | undefined {
    return this.#steps[0];
  }

  start(batch: LabelledBatch): void {
    const step = this.#run(batch, this.#nextStep++, this.#last);
    // Whoever waits for the head hears of it; the others fail because the head did.
    step.catch(() => {});
    this.#last = step;
    this.#steps.push(step);
  }

  shift(): void {
    this.#steps.shift();
  }

  /** Ends all that is not committed, and waits for the step that is. Resolves with the results that nobody has seen. */
  async stop(): Promise<TrainResult[]> {
    this.#stop.abort(new Error('the stream of batches was ended'));
    const settled = await Promise.allSettled(this.#steps.splice(0));
    return settled.flatMap((step) => (step.status === 'fulfilled' ? [step.value] : []));
  }

  async #run(batch: LabelledBatch, expectedStep: number, previous: Promise<unknown>): Promise<TrainResult> {
    const { connection, classifier } = this.target;
    const { signal, timeoutMs, retries = DEFAULT_RETRIES } = this.options;
    const augmentation = this.options.augmentation === undefined ? undefined : encodeAugmentation(this.options.augmentation);
    const stop = this.#stop.signal;
    const payload = await imagePayload(batch.images, () => this.target.imageSize({ signal: stop }), this.options, stop);
    const labels = encodeLabels(batch.labels);
    const step = { classifier, payload, labels, requestId: `${this.#name}-${expectedStep}`, expectedStep, augmentation };
    const ourTurn = previous.then(async () => {
      stop.throwIfAborted();
      if (batch.parameters !== undefined) await setParams(connection, classifier, batch.parameters, { signal });
    });
    ourTurn.catch(() => {});
    const send = () => sendStep(connection, step, { signal, timeoutMs, signalBeforeCommit: stop, beforeCommit: () => ourTurn });
    let repeated = false;
    const response = await withRetries(retries, stop, async () => {
      // A server without room gets one upload at a time from here on, or later batches would keep the room from the one whose turn it is.
      if (repeated || this.#crowded) await ourTurn;
      repeated = true;
      return await send().catch((error: unknown) => {
        if (error instanceof ServerBusyError) this.#crowded = true;
        throw error;
      });
    });
    return new TrainResult(connection, response);
  }
}
