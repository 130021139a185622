import type {
  TrainBatchesHeader,
  TrainBatchesOpened,
  TrainBatchesRequest,
  TrainBatchesResponse,
} from '../../generated/dlclassifier/v1/classifier.js';
import type { TrainReceipt } from '../classifier/classifier.js';
import { STREAM_BATCHES } from '../config.js';
import type { Refusal } from '../errors/refusal.js';
import { toldRefusal } from '../errors/told_refusal.js';
import { unknownImagesOf } from '../image_store/unknown_images.js';
import type { UploadMessages } from '../upload/messages.js';
import { BatchStream } from './batch_stream.js';
import type { CallContext } from './context.js';
import { toTrainBatchResponse } from './train_batch.js';

type Outcome = NonNullable<TrainBatchesResponse['outcome']>;

/** TrainBatches: a step for each of many batches, each exactly once or not at all. */
export async function* trainBatches(
  messages: UploadMessages<TrainBatchesRequest>,
  context: CallContext,
): AsyncGenerator<TrainBatchesResponse, void, undefined> {
  const stream = new BatchStream(messages, context);
  const call = await stream.open();
  yield { batch: 0n, requestId: '', outcome: { $case: 'opened', value: await opened(call, context) } };
  for await (const { index, requestId, receipt, refusal } of stream.answers(call)) {
    yield { batch: BigInt(index), requestId, outcome: refusal === null ? applied(receipt) : refused(refusal) };
    if (refusal !== null && !call.continueAfterRefusal) throw refusal;
  }
}

/** Steps of an earlier call that had been committed are over when this resolves. */
async function opened({ classifier: handle, unanswered }: TrainBatchesHeader, { server }: CallContext): Promise<TrainBatchesOpened> {
  const classifier = server.handles.get('classifier', handle);
  classifier.expectUsable();
  if (unanswered.length > 0) await classifier.settled();
  const answers: TrainBatchesOpened['applied'] = [];
  for (const requestId of unanswered) {
    // One that is being made now is another call's, whose refusal is not this call's.
    const receipt = await classifier.requests.find(requestId)?.catch(() => undefined);
    if (receipt !== undefined) answers.push({ requestId, response: toTrainBatchResponse(receipt) });
  }
  return { step: BigInt(classifier.step), window: STREAM_BATCHES, applied: answers };
}

function applied(receipt: TrainReceipt): Outcome {
  return { $case: 'applied', value: toTrainBatchResponse(receipt) };
}

function refused(refusal: Refusal): Outcome {
  const unknownImages = unknownImagesOf(refusal);
  return { $case: 'refused', value: { status: refusal.status, reason: refusal.reason, unknownImages, ...toldRefusal(refusal) } };
}
