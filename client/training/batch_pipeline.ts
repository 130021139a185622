import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { status } from '@grpc/grpc-js';
import type { TrainBatchesOpened, TrainBatchesResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { TrainResult } from '../classifier/train_result.js';
import { refusalError } from '../errors/decode.js';
import { type DlClassifierError, transportError } from '../errors/error.js';
import { UnknownImagesError } from '../errors/refusals.js';
import { RemoteStore } from '../references/remote_store.js';
import { type CallOptions, onAbort } from '../transport/call_options.js';
import { canHelp, pauseBeforeRetry } from '../transport/retry.js';
import { AnswerWatch } from './answer_watch.js';
import { BatchCall } from './batch_call.js';
import { isOfTheBatch } from './batch_refusal.js';
import type { LabelledBatch } from './labelled_batch.js';
import { type BatchOptions, QueuedBatch } from './queued_batch.js';
import type { StepTarget } from './train_batch.js';

export interface PipelineOptions extends CallOptions, BatchOptions {
  readonly onRefused?: ((error: DlClassifierError<string>, batch: number) => void) | undefined;
}

/** Ends a call whose batch was refused, when the stream goes on with another. */
class HandledRefusal extends Error {}

/**
 * Batches under way, in order, down one TrainBatches call. Where the connection is lost, the next call asks what was applied and sends the
 * rest again; request ids keep a batch that arrives twice from training twice, expected_step keeps the order against other callers.
 */
export class BatchPipeline {
  /** Those that nobody has seen the result of. */
  readonly #batches: QueuedBatch[] = [];
  /** Those that are not answered; the first ones of them may be sent. */
  #unanswered: QueuedBatch[] = [];
  readonly #name = randomUUID();
  readonly #stop = new AbortController();
  /** To the caller's signal. */
  readonly #stopListening: () => void;
  #started = 0;
  #answered = 0;
  #applied = 0;
  #finished = false;
  #run: Promise<void> | null = null;
  /** The call under way. */
  #call: BatchCall | null = null;
  #wakeSender = (): void => {};

  constructor(
    private readonly target: StepTarget,
    private readonly options: PipelineOptions,
    private readonly firstStep: number,
  ) {
    const { signal } = options;
    // Each batch under way listens: a warning of a leak would be of none.
    setMaxListeners(0, this.#stop.signal);
    this.#stopListening = onAbort(signal, () => this.#stop.abort(signal?.reason));
  }

  get length(): number {
    return this.#batches.length;
  }

  /** The oldest batch's result to be. */
  get head(): Promise<TrainResult | null> | undefined {
    return this.#batches[0]?.result;
  }

  start(batch: LabelledBatch): void {
    const number = this.#started++;
    const queued = new QueuedBatch(number, `${this.#name}-${number}`, batch, this.target, this.options, this.#stop.signal);
    this.#batches.push(queued);
    if (this.#finished) {
      // After one that could not be sent.
      queued.fail(new Error('the stream of batches was ended before this one'));
      return;
    }
    this.#unanswered.push(queued);
    this.#wakeSender();
    this.#run ??= this.#runCalls();
  }

  shift(): void {
    this.#batches.shift();
  }

  /**
   * Ends it all; the server finishes the step that runs. Resolves with the results that nobody has seen, those of steps included whose
   * answer was on its way, as far as the server tells of them within the time of an answer. Never rejects.
   */
  async stop(): Promise<TrainResult[]> {
    const cutShort = this.#unanswered.length > 0;
    this.#finished = true;
    if (cutShort) this.#stop.abort(new Error('the stream of batches was ended'));
    this.#wakeSender();
    await this.#run;
    if (this.#unanswered.some(({ sent }) => sent) && this.options.signal?.aborted !== true) await this.#learnWhatWasApplied();
    for (const batch of this.#unanswered) batch.fail(new Error('the stream of batches was ended before this one'));
    this.#stopListening();
    const settled = await Promise.allSettled(this.#batches.splice(0).map(({ result }) => result));
    return settled.flatMap((one) => (one.status === 'fulfilled' && one.value !== null ? [one.value] : []));
  }

  /** Never rejects: what goes wrong is the oldest unanswered batch's. */
  async #runCalls(): Promise<void> {
    const { signal } = this.#stop;
    for (let repetition = 0; ; repetition++) {
      const answered = this.#answered;
      try {
        await this.#runCall();
        return;
      } catch (error) {
        if (this.#answered > answered) repetition = 0;
        if (signal.aborted) return;
        if (this.#goesOnAfter(error)) continue;
        if (repetition >= this.options.retries || !canHelp(error)) return this.#fail(error);
      }
      try {
        await pauseBeforeRetry(repetition, signal);
      } catch {
        // Stopped in the meantime.
        return;
      }
    }
  }

  /** Whether the next call may follow at once: after a batch that was refused for good, or one whose references were refused. */
  #goesOnAfter(error: unknown): boolean {
    if (error instanceof HandledRefusal) return true;
    const [refused] = this.#unanswered;
    if (!(error instanceof UnknownImagesError) || refused === undefined || !refused.mayBePreparedAgain) return false;
    RemoteStore.of(this.target.connection).forget();
    for (const batch of this.#unanswered) batch.prepareAgain(batch === refused);
    return true;
  }

  async #runCall(): Promise<void> {
    const call = this.#open(this.#stop.signal);
    this.#call = call;
    const watch = this.#watch(call);
    // Where nothing is in doubt the first batch need not wait for the server's word.
    const send = () => this.#send(call, watch).catch((error: unknown) => call.fail(error));
    let sending = this.#unanswered.some(({ sent }) => sent) ? null : send();
    try {
      for await (const { requestId, outcome } of call.responses) {
        if (outcome?.$case === 'opened') {
          this.#takeApplied(outcome.value);
          sending ??= send();
        } else {
          this.#takeAnswer(requestId, outcome);
          // After the last batch the end of the call is expected.
          watch.answered(this.#finished || this.#unanswered.some(({ sent }) => sent));
        }
      }
      if (this.#unanswered.length > 0) throw transportError(status.UNAVAILABLE, 'the server ended the stream of batches', undefined);
    } catch (error) {
      throw watch.expired ?? error;
    } finally {
      watch.close();
      this.#call = null;
      call.cancel();
      this.#wakeSender();
      await sending;
    }
  }

  #open(signal: AbortSignal | undefined): BatchCall {
    const { connection, classifier } = this.target;
    const unanswered = this.#unanswered.filter(({ sent }) => sent).map(({ requestId }) => requestId);
    // A batch that is refused for the moment, or by its references, is sent again before any later one: so a refusal has to end the call.
    return new BatchCall(connection, { classifier, continueAfterRefusal: false, unanswered }, { signal });
  }

  /** Sends what is not answered, then each batch that comes, until there is no more or the call ends. */
  async #send(call: BatchCall, watch: AnswerWatch): Promise<void> {
    let expectedStep = this.firstStep + this.#applied;
    for (let last = -1; this.#call === call; expectedStep++) {
      const batch = await this.#afterNumber(last, call);
      if (batch === null) break;
      last = batch.number;
      try {
        const prepared = await batch.prepared;
        // While it was prepared the call may have ended: then nothing is sent, and no answer to be watched for.
        if (this.#call !== call) return;
        batch.sent = true;
        watch.expect();
        if (!(await call.send({ ...prepared, requestId: batch.requestId, expectedStep }))) return;
      } catch (error) {
        this.#endBefore(batch, error);
        break;
      }
    }
    if (this.#call !== call) return;
    watch.expect();
    call.end();
  }

  /** The batch that is to be sent after the one of this number; null where the call ends first. */
  async #afterNumber(last: number, call: BatchCall): Promise<QueuedBatch | null> {
    for (;;) {
      const batch = this.#unanswered.find(({ number }) => number > last);
      if (batch !== undefined) return batch;
      if (this.#finished || this.#call !== call) return null;
      await new Promise<void>((resolve) => {
        this.#wakeSender = resolve;
      });
    }
  }

  #takeApplied({ applied }: TrainBatchesOpened): void {
    for (const { requestId, response } of applied) {
      if (response !== undefined) this.#takeAnswer(requestId, { $case: 'applied', value: response });
    }
  }

  /** @throws the error of a batch that ends the stream */
  #takeAnswer(requestId: string, outcome: TrainBatchesResponse['outcome']): void {
    const batch = this.#unanswered.find((one) => one.requestId === requestId);
    if (batch === undefined || outcome === undefined) return;
    let result: TrainResult | null = null;
    if (outcome.$case === 'applied') {
      result = new TrainResult(this.target.connection, outcome.value);
      this.#applied++;
    } else if (outcome.$case === 'refused') {
      const error = refusalError(outcome.value);
      const { onRefused } = this.options;
      const maySendImages = error instanceof UnknownImagesError && batch.mayBePreparedAgain;
      if (onRefused === undefined || maySendImages || !isOfTheBatch(error)) throw error;
      onRefused(error, batch.number);
    }
    this.#unanswered = this.#unanswered.filter((one) => one !== batch);
    this.#answered++;
    batch.answer(result);
    if (result === null) throw new HandledRefusal();
  }

  /** A batch that cannot be prepared or sent: those before it are trained, it and those after it are not. */
  #endBefore(batch: QueuedBatch, error: unknown): void {
    this.#finished = true;
    const ended = this.#unanswered.filter(({ number }) => number >= batch.number);
    this.#unanswered = this.#unanswered.filter(({ number }) => number < batch.number);
    for (const one of ended) one.fail(error);
  }

  #fail(error: unknown): void {
    for (const batch of this.#unanswered.splice(0)) batch.fail(error);
  }

  #watch(call: BatchCall): AnswerWatch {
    return new AnswerWatch(this.target.connection.transferTimeout(this.options), () => call.cancel());
  }

  /** After a call that was cut short. Where the server does not tell, the batches count as not applied, and their results expire there. */
  async #learnWhatWasApplied(): Promise<void> {
    let watch: AnswerWatch | null = null;
    try {
      const call = this.#open(this.options.signal);
      watch = this.#watch(call);
      watch.expect();
      for await (const { outcome } of call.responses) {
        if (outcome?.$case !== 'opened') continue;
        this.#takeApplied(outcome.value);
        call.end();
      }
    } catch {
      // Whoever leaves hears no error of a connection that is of no use any more.
    } finally {
      watch?.close();
    }
  }
}
