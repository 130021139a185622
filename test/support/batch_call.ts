import { type CallOptions, type Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type {
  TrainBatchesOpened,
  TrainBatchesRequest,
  TrainBatchesResponse,
  TrainBatchHeader,
} from '../../generated/dlclassifier/v1/classifier.js';
import { ClassifierServiceService } from '../../generated/dlclassifier/v1/classifier_service.js';
import { type Batch, noiseBatch, trainMessages } from './classifier.js';

const NOTHING = new Uint8Array();

/** What a test knows of a batch's answer. */
export type Told =
  | { readonly batch: number; readonly requestId: string; readonly step: number; readonly loss: number }
  | { readonly batch: number; readonly requestId: string; readonly reason: string; readonly metadata: Record<string, string> };

export interface BatchCallOptions {
  readonly continueAfterRefusal?: boolean;
  readonly unanswered?: string[];
}

/** A TrainBatches call whose messages the test sends itself. */
export interface BatchCall {
  readonly opened: Promise<TrainBatchesOpened>;
  /** Resolves when the messages have left this process' buffers. */
  send(...messages: TrainBatchesRequest[]): Promise<void>;
  end(): void;
  cancel(): void;
  /** The next answer; undefined where the call ends with OK before it. Rejects with the call's error. */
  next(): Promise<Told | undefined>;
  /** All answers up to the end of the call, and the status that it ended with. */
  rest(): Promise<{ answers: Told[]; error: ServiceError | null }>;
}

export function openBatches(client: Client, classifier: string, options: BatchCallOptions = {}, callOptions: CallOptions = {}): BatchCall {
  const { path, requestSerialize, responseDeserialize } = ClassifierServiceService.trainBatches;
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata(), callOptions);
  const responses = stream[Symbol.asyncIterator]() as AsyncIterator<TrainBatchesResponse>;
  const send = (message: TrainBatchesRequest) => new Promise<void>((sent) => stream.write(message, () => sent()));
  const { continueAfterRefusal = false, unanswered = [] } = options;
  void send({ call: { classifier, continueAfterRefusal, unanswered }, header: undefined, pixels: NOTHING, commit: undefined });
  const opened = responses.next().then(({ value }) => {
    const { outcome } = value as TrainBatchesResponse;
    if (outcome?.$case !== 'opened') throw new Error(`the first response is ${outcome?.$case}`);
    return outcome.value;
  });
  opened.catch(() => {});
  const next = async (): Promise<Told | undefined> => {
    await opened;
    const { done, value } = await responses.next();
    return done ? undefined : told(value as TrainBatchesResponse);
  };
  return {
    opened,
    send: async (...messages) => {
      await Promise.all(messages.map(send));
    },
    end: () => stream.end(),
    cancel: () => stream.cancel(),
    next,
    rest: async () => {
      const answers: Told[] = [];
      try {
        for (let answer = await next(); answer !== undefined; answer = await next()) answers.push(answer);
        return { answers, error: null };
      } catch (error) {
        if ((error as ServiceError).code in status) return { answers, error: error as ServiceError };
        throw error;
      }
    },
  };
}

function told({ batch, requestId, outcome }: TrainBatchesResponse): Told {
  const named = { batch: Number(batch), requestId };
  if (outcome?.$case === 'applied') return { ...named, step: Number(outcome.value.step), loss: outcome.value.loss };
  if (outcome?.$case === 'refused') return { ...named, reason: outcome.value.reason, metadata: Object.fromEntries(outcome.value.metadata) };
  throw new Error(`an answer that is ${outcome?.$case}`);
}

/** The messages of one batch: a header, chunks, a commit. */
export function batchMessages(
  classifier: string,
  batch: Batch = noiseBatch(),
  header: Partial<TrainBatchHeader> = {},
): TrainBatchesRequest[] {
  return trainMessages(classifier, batch).map((message) => ({
    ...message,
    header: message.header && { ...message.header, ...header },
    call: undefined,
  }));
}

/** Batches that differ: noise, shifted by the number. */
export function numberedBatch(number: number, options: Parameters<typeof noiseBatch>[0] = {}): Batch {
  const batch = noiseBatch(options);
  return { ...batch, pixels: batch.pixels.map((value) => (value + number * 37) % 256) };
}
