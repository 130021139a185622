import type { TrainBatchRequest, TrainBatchResponse } from '../../generated/dlclassifier/v1/classifier.js';
import type { TrainReceipt } from '../classifier/classifier.js';
import type { UploadMessages } from '../upload/messages.js';
import { receiveUpload } from '../upload/receive.js';
import { AT_ONCE, admitBatch } from './batch_upload.js';
import type { CallContext } from './context.js';

/** TrainBatch: one optimisation step, exactly once or not at all. */
export async function trainBatch(messages: UploadMessages<TrainBatchRequest>, context: CallContext): Promise<TrainBatchResponse> {
  const { server } = context;
  const batch = await receiveUpload(messages, (header) => admitBatch(header, server), context);
  return toTrainBatchResponse(await batch.complete(AT_ONCE));
}

export function toTrainBatchResponse({ handle, step, loss }: TrainReceipt): TrainBatchResponse {
  return { trainResult: handle, step: BigInt(step), loss };
}
