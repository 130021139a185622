import type { TrainBatchesHeader, TrainBatchesRequest, TrainBatchHeader } from '../../generated/dlclassifier/v1/classifier.js';
import type { TrainReceipt } from '../classifier/classifier.js';
import { STREAM_BATCHES } from '../config.js';
import { Refusal, refuse } from '../errors/refusal.js';
import type { TakePieces, UploadMessages } from '../upload/messages.js';
import { UploadReceiver } from '../upload/receive.js';
import { untilAborted } from '../upload/until_aborted.js';
import { type AdmittedBatch, admitBatch, type Turn } from './batch_upload.js';
import type { CallContext } from './context.js';

/** What became of a batch. */
export type Answer = {
  /** Position in the call, counted from 0. */
  readonly index: number;
  readonly requestId: string;
} & ({ readonly receipt: TrainReceipt; readonly refusal: null } | { readonly receipt: null; readonly refusal: Refusal });

/** A batch on its way. */
interface Entry {
  /** Rejects where the batch gets no answer: the call ended before its turn came. */
  readonly answer: Promise<Answer>;
  /** Resolves when it and all before it wait for the classifier, or never will. */
  readonly queued: Promise<void>;
  /** Resolves when it is clear what became of it. */
  readonly settled: Promise<void>;
}

/** What makes a received batch a step. */
type Completion = (turn: Turn, onQueued: () => void) => Promise<TrainReceipt>;

/**
 * The batches of one TrainBatches call. While one trains, the next ones are received into buffers of their own and decoded; each trains
 * right after the one before it, without a word from the client. At most STREAM_BATCHES are held, those included whose answer the client
 * has not taken: a client that does not read is not read from.
 */
export class BatchStream {
  readonly #messages: UploadMessages<TrainBatchesRequest>;
  readonly #receiver: UploadReceiver<TrainBatchHeader>;
  /** Aborted when the client goes or the call is over. */
  readonly #reading = new AbortController();
  readonly #entries: Entry[] = [];
  #last: Pick<Entry, 'queued' | 'settled'> = { queued: Promise.resolve(), settled: Promise.resolve() };
  /** `settled` of the batches that hold memory. */
  readonly #holding = new Set<Promise<void>>();
  /** Batches refused so far, which `expected_step` of later ones counts as applied. */
  #refused = 0n;
  /** A batch after which none may train; null as long as there is none. */
  #end: Error | null = null;
  #wake: () => void = () => {};

  constructor(
    messages: UploadMessages<TrainBatchesRequest>,
    private readonly context: CallContext,
  ) {
    const { signal } = context;
    this.#messages = untilAborted(messages, this.#reading.signal);
    const { transferIdleSeconds } = context.server.limits;
    this.#receiver = new UploadReceiver({ next: (take) => this.#nextOfBatch(take) }, this.#reading.signal, transferIdleSeconds);
    signal.addEventListener('abort', () => this.#stopReading(signal.reason), { once: true });
    if (signal.aborted) this.#stopReading(signal.reason);
  }

  /**
   * The first message.
   *
   * @throws Refusal UPLOAD_MALFORMED; the signal's reason
   */
  async open(): Promise<TrainBatchesHeader> {
    const withoutCall = () => refuse('UPLOAD_MALFORMED', { problem: 'the first message has no `call`' });
    const first = await this.#messages.next(() => {
      throw withoutCall();
    });
    if (first?.call === undefined) throw withoutCall();
    if (first.header !== undefined || first.commit !== undefined || first.pixels.byteLength > 0) {
      throw refuse('UPLOAD_MALFORMED', { problem: 'the first message has more than `call`' });
    }
    return first.call;
  }

  /**
   * What became of each batch, in order. After a refusal none trains unless `call` says that it goes on.
   *
   * @throws the signal's reason when the step that runs has ended and is answered; a Refusal where the messages break the contract
   */
  async *answers(call: TrainBatchesHeader): AsyncGenerator<Answer, void, undefined> {
    let readToTheEnd = false;
    const read = this.#read(call).finally(() => {
      readToTheEnd = true;
      this.#wake();
    });
    read.catch(() => {});
    try {
      for (;;) {
        const entry = this.#entries[0];
        if (entry !== undefined) {
          yield await entry.answer;
          this.#entries.shift();
          this.#wake();
        } else if (readToTheEnd) {
          return await read;
        } else {
          await this.#change();
        }
      }
    } finally {
      const over = new Error('the call is over');
      this.#end ??= over;
      this.#stopReading(over);
      await read.catch(() => {});
      await this.#last.settled;
    }
  }

  async #read(call: TrainBatchesHeader): Promise<void> {
    for (let index = 0; ; index++) {
      while (this.#entries.length >= STREAM_BATCHES && !this.#reading.signal.aborted) await this.#change();
      let header: TrainBatchHeader | null = null;
      try {
        const batch = await this.#receiver.next((found) => {
          header = found;
          return this.#admit(found, call);
        });
        if (batch === null) return;
        this.#push(index, header, call, batch.complete);
      } catch (error) {
        // What belongs to no batch ends the call, when the batches before it are answered.
        if (header === null || !(error instanceof Refusal) || this.#reading.signal.aborted) throw error;
        this.#push(index, header, call, async ({ begin }) => {
          await begin();
          throw error;
        });
        if (!call.continueAfterRefusal) return;
        await this.#receiver.skip();
      }
    }
  }

  /** Where all uploads together leave no room, the batch waits as long as earlier ones of this call hold some. */
  async #admit(header: TrainBatchHeader, call: TrainBatchesHeader): Promise<AdmittedBatch> {
    if (header.classifier !== call.classifier) {
      throw refuse('INVALID_REQUEST', { field: 'header.classifier', problem: 'it is not that of the call' });
    }
    for (;;) {
      try {
        return admitBatch(header, this.context.server);
      } catch (error) {
        if (!(error instanceof Refusal) || error.reason !== 'SERVER_BUSY' || this.#holding.size === 0) throw error;
        await Promise.race(this.#holding);
      }
    }
  }

  #push(index: number, header: TrainBatchHeader | null, call: TrainBatchesHeader, complete: Completion): void {
    const previous = this.#last;
    let onQueued = (): void => {};
    const isQueued = new Promise<void>((resolve) => {
      onQueued = resolve;
    });
    const begin = async (): Promise<bigint> => {
      await previous.settled;
      this.context.signal.throwIfAborted();
      if (this.#end !== null) throw new Error('the call ended before the turn of this batch', { cause: this.#end });
      return this.#refused;
    };
    const outcome = complete({ queue: previous.queued, begin }, onQueued).finally(onQueued);
    const answer = this.#answer({ index, requestId: header?.requestId ?? '' }, call, outcome);
    const settle = () => {
      this.#holding.delete(settled);
    };
    const settled = answer.then(settle, settle);
    this.#holding.add(settled);
    const entry = { answer, queued: previous.queued.then(() => isQueued), settled };
    this.#entries.push(entry);
    this.#last = entry;
    this.#wake();
  }

  async #answer(
    batch: Pick<Answer, 'index' | 'requestId'>,
    { continueAfterRefusal }: TrainBatchesHeader,
    outcome: Promise<TrainReceipt>,
  ): Promise<Answer> {
    try {
      return { ...batch, receipt: await outcome, refusal: null };
    } catch (error) {
      const { signal, log } = this.context;
      if (!(error instanceof Refusal) || error === signal.reason) {
        this.#end ??= error instanceof Error ? error : new Error('a defect', { cause: error });
        throw error;
      }
      log.info({ batch: batch.index, reason: error.reason, problem: error.message }, 'refused a batch');
      this.#refused++;
      if (!continueAfterRefusal) this.#end ??= error;
      return { ...batch, receipt: null, refusal: error };
    }
  }

  async #nextOfBatch(take: TakePieces): Promise<TrainBatchesRequest | null> {
    const message = await this.#messages.next(take);
    if (message?.call !== undefined) throw refuse('UPLOAD_MALFORMED', { problem: 'a second `call`' });
    return message;
  }

  #stopReading(reason: unknown): void {
    this.#reading.abort(reason);
    this.#wake();
  }

  /** Resolves when an entry has come or gone, or the reading ends. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
