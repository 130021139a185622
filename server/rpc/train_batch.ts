import type { TrainBatchHeader, TrainBatchRequest, TrainBatchResponse } from '../../generated/dlclassifier/v1/classifier.js';
import type { Label } from '../../generated/dlclassifier/v1/image.js';
import { type BatchDescription, checkBatch } from '../classifier/admission.js';
import type { TrainReceipt } from '../classifier/classifier.js';
import type { LabelReference } from '../classifier/labels.js';
import { refuse } from '../errors/refusal.js';
import { receiveUpload, type UploadDeclaration } from '../upload/receive.js';
import type { CallContext } from './context.js';
import { admitImages, announcedImages } from './image_upload.js';

const MAXIMUM_REQUEST_ID = 128;

/** A batch that was let in. */
interface AdmittedBatch extends UploadDeclaration {
  /** After the commit: trains, or tells what an earlier call with the same `request_id` did. */
  complete(): Promise<TrainReceipt>;
}

/** TrainBatch: one optimisation step, exactly once or not at all. */
export async function trainBatch(messages: AsyncIterable<TrainBatchRequest>, context: CallContext): Promise<TrainBatchResponse> {
  const started = performance.now();
  const batch = await receiveUpload(messages, (header) => admit(header, started, context), context.signal);
  // The commit has come: from here on it does not matter whether the client stays.
  try {
    const { handle, step, loss } = await batch.complete();
    return { trainResult: handle, step: BigInt(step), loss };
  } finally {
    batch.sink.close();
  }
}

function admit(header: TrainBatchHeader, started: number, { server }: CallContext): AdmittedBatch {
  const classifier = server.handles.get('classifier', header.classifier);
  classifier.expectUsable();
  if (header.requestId.length > MAXIMUM_REQUEST_ID) {
    const problem = `it has ${header.requestId.length} characters; give at most ${MAXIMUM_REQUEST_ID}`;
    throw refuse('INVALID_REQUEST', { field: 'request_id', problem });
  }
  const announced = announcedImages(header.images);
  const known = classifier.requests.find(header.requestId);
  if (known !== undefined) return { totalBytes: announced.totalBytes, sink: DISCARDING, complete: () => known };
  const description: BatchDescription = {
    images: announced.description,
    labels: header.labels.map(toReference),
    expectedStep: header.expectedStep ?? null,
  };
  // Steps on the way may bring the classifier there by the time it is this batch's turn, which is when it must match.
  const mayBeReached = (description.expectedStep ?? 0n) > BigInt(classifier.step);
  checkBatch(classifier.settings, classifier.step, mayBeReached ? { ...description, expectedStep: null } : description);
  const { totalBytes, sink, finish } = admitImages(server, announced, classifier.settings);
  const train = async (): Promise<TrainReceipt> => {
    const committed = performance.now();
    const images = await finish(classifier.settings, NEVER_ABORTED);
    const uploadSeconds = (committed - started) / 1000;
    const result = await classifier.train({ ...description, images: images.description, pixels: images.pixels, uploadSeconds, committed });
    server.handles.touch(header.classifier);
    return { handle: server.handles.add('train_result', result), step: result.step, loss: result.loss };
  };
  return { totalBytes, sink, complete: () => classifier.requests.run(header.requestId, train) };
}

/** Takes a repeated upload, whose answer is known, to its end. */
const DISCARDING = { write: () => {}, close: () => {} };

const NEVER_ABORTED = new AbortController().signal;

function toReference({ label }: Label): LabelReference {
  return label?.value ?? null;
}
