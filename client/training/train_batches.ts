import type { TrainResult } from '../classifier/train_result.js';
import type { DlClassifierError } from '../errors/error.js';
import { isServerGone } from '../errors/gone.js';
import type { ImageOptions } from '../images/payload.js';
import { type CallOptions, untilAborted } from '../transport/call_options.js';
import { withRetries } from '../transport/retry.js';
import { unsigned64 } from '../upload/unsigned.js';
import type { AugmentationOptions } from './augmentation.js';
import { BatchPipeline } from './batch_pipeline.js';
import { clearTrainResults } from './clear_results.js';
import type { LabelledBatch } from './labelled_batch.js';
import type { StepTarget } from './train_batch.js';

export interface TrainBatchesOptions extends CallOptions, ImageOptions, AugmentationOptions {
  /**
   * Batches that are under way at a time, the one that trains included: the others are decoded, sent and held here until they are
   * answered. It bounds the memory. The server takes in 4 of a stream at a time; what is on its way to it over a long line comes on top.
   *
   * @default 8
   */
  readonly window?: number | undefined;
  /** Steps that the classifier has made. @default what it says itself at the start */
  readonly expectedStep?: number | undefined;
  /**
   * How often in a row the stream is taken up again after the connection was lost, with pauses from 0.1 to 5 seconds. An answer to a
   * batch begins a new count. No batch trains twice.
   *
   * @default 10
   */
  readonly retries?: number | undefined;
  /**
   * Milliseconds in which each batch must be answered, counted from its sending or from the answer before it; and those that storing its
   * images may take.
   *
   * @default the connection's `transferTimeoutMs`
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Called with each batch that the server refuses for what it holds, and its position in the stream, counted from 0; the stream then goes
   * on with the next one. Without it the first refusal ends the stream. A refusal that is not the batch's fault ends it in any case, when
   * `retries` do not help: StepMismatchError, HandleClearedError, ClassifierFailedError, DeviceLostError, ServerBusyError, ...
   */
  readonly onRefused?: ((error: DlClassifierError<string>, batch: number) => void) | undefined;
  /**
   * Whether train results stay on the server after the loop has gone on to the next one. `loss` and `step` are at hand in any case.
   *
   * @default false
   */
  readonly keepResults?: boolean | undefined;
}

/** Four that the server holds, and as many again on the line: with batches of 5 MB, 400 MB/s at a round trip of 10 ms. */
const DEFAULT_WINDOW = 8;

const DEFAULT_RETRIES = 10;

/** Train results that are cleared in one call. */
const CLEAR_AT_ONCE = 32;

type Event = { readonly batch: IteratorResult<LabelledBatch, unknown> } | { readonly result: TrainResult | null };

/** See Classifier.trainBatches. */
export async function* trainBatches(
  target: StepTarget,
  batches: AsyncIterable<LabelledBatch> | Iterable<LabelledBatch>,
  options: TrainBatchesOptions,
  firstStep: () => Promise<number>,
): AsyncGenerator<TrainResult, void, undefined> {
  const { window = DEFAULT_WINDOW, retries = DEFAULT_RETRIES, signal } = options;
  if (!Number.isInteger(window) || window < 1) throw new RangeError(`window is ${window}: give an integer >= 1`);
  if (options.expectedStep !== undefined) unsigned64(options.expectedStep, 'expectedStep');
  signal?.throwIfAborted();
  const pipeline = new BatchPipeline(
    target,
    { ...options, retries },
    options.expectedStep ?? (await withRetries(retries, signal, firstStep)),
  );
  const source = iterate(batches);
  const clear = (results: readonly TrainResult[], callOptions: CallOptions) =>
    withRetries(retries, callOptions.signal, () => clearTrainResults(target.connection, results, callOptions));
  const retired: TrainResult[] = [];
  let next: Promise<IteratorResult<LabelledBatch, unknown>> | null = null;
  let exhausted = false;
  let end: 'failed' | 'left' | 'completed' = 'failed';
  try {
    while (!exhausted || pipeline.length > 0) {
      if (!exhausted && next === null && pipeline.length < window) next = source.next();
      const event: Event = await untilAborted(firstOf(next, pipeline.head), signal);
      if ('batch' in event) {
        next = null;
        if (event.batch.done) exhausted = true;
        else pipeline.start(event.batch.value);
        continue;
      }
      pipeline.shift();
      if (event.result === null) continue;
      end = 'left';
      yield event.result;
      end = 'failed';
      if (options.keepResults !== true) retired.push(event.result);
      if (retired.length >= CLEAR_AT_ONCE) await clear(retired.splice(0), { signal });
    }
    end = 'completed';
  } finally {
    const unseen = await pipeline.stop();
    try {
      const closing = exhausted ? Promise.resolve() : endSource(source, next);
      // What made the loop fail is what the caller must hear.
      await (end === 'failed' ? closing.catch(() => {}) : closing);
    } finally {
      const toClear = [...retired, ...unseen];
      if (end === 'completed') {
        // All steps are made: a server that goes now must not make the training fail. Results left behind expire by themselves.
        await clear(toClear, { timeoutMs: options.timeoutMs }).catch((error: unknown) => {
          if (!isServerGone(error)) throw error;
        });
      } else if (end === 'left' || signal?.aborted !== true) {
        // Nobody who leaves is kept by a server that is not there: results left behind expire by themselves.
        const cleared = clearTrainResults(target.connection, toClear, { timeoutMs: options.timeoutMs }).catch(() => {});
        if (end === 'left') await cleared;
      }
    }
  }
}

function firstOf(
  next: Promise<IteratorResult<LabelledBatch, unknown>> | null,
  head: Promise<TrainResult | null> | undefined,
): Promise<Event> {
  const events: Promise<Event>[] = [];
  if (head !== undefined) events.push(head.then((result) => ({ result })));
  if (next !== null) events.push(next.then((batch) => ({ batch })));
  return Promise.race(events);
}

async function* iterate(batches: AsyncIterable<LabelledBatch> | Iterable<LabelledBatch>): AsyncGenerator<LabelledBatch, void, undefined> {
  yield* batches;
}

/** Lets the source clean up; one that is still at work on its next batch does so when that is done, and nobody waits for it. */
async function endSource(source: AsyncGenerator<LabelledBatch>, next: Promise<unknown> | null): Promise<void> {
  const ended = source.return(undefined);
  if (next === null) await ended;
  else Promise.all([next, ended]).catch(() => {});
}
