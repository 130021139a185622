import type { TrainBatchHeader } from '../../generated/dlclassifier/v1/classifier.js';
import type { Label } from '../../generated/dlclassifier/v1/image.js';
import type { BatchDescription } from '../classifier/admission.js';
import type { TrainReceipt } from '../classifier/classifier.js';
import type { LabelReference } from '../classifier/labels.js';
import { refuse } from '../errors/refusal.js';
import type { ServerState } from '../state.js';
import { checksumOf } from '../upload/checksum.js';
import type { UploadDeclaration } from '../upload/receive.js';
import { announcedImages } from './announced_images.js';
import { BatchAugmentation } from './batch_augmentation.js';
import { admitImages } from './image_upload.js';
import { fromNamedValues } from './values.js';

const MAXIMUM_REQUEST_ID = 128;

/** When a batch trains. */
export interface Turn {
  /** Resolves when the batch may wait for the classifier: those that must come before it do so already. */
  readonly queue: Promise<void>;
  /**
   * Called when the classifier is this batch's. What it throws refuses the batch. Resolves with the number of steps that
   * `expected_step` counts on and that were refused.
   */
  begin(): Promise<bigint>;
}

/** Of a batch that waits for nothing but the classifier. */
export const AT_ONCE: Turn = { queue: Promise.resolve(), begin: async () => 0n };

/** A batch that was let in. */
export interface AdmittedBatch extends UploadDeclaration {
  /**
   * After the commit, once: decodes at once, trains when its turn has come, or tells what an earlier call with the same `request_id`
   * did. From here on it does not matter whether the client stays.
   *
   * @param onQueued called when the batch waits for the classifier
   */
  complete(turn: Turn, onQueued?: () => void): Promise<TrainReceipt>;
}

/**
 * Checks the header of a batch against the classifier as it is now, and makes room for the bytes.
 *
 * @throws Refusal of the handle, INVALID_REQUEST, LIMIT_EXCEEDED, SERVER_BUSY, and those of Classifier.check
 */
export function admitBatch(header: TrainBatchHeader, server: ServerState): AdmittedBatch {
  const started = performance.now();
  const classifier = server.handles.get('classifier', header.classifier);
  classifier.expectUsable();
  if (header.requestId.length > MAXIMUM_REQUEST_ID) {
    const problem = `it has ${header.requestId.length} characters; give at most ${MAXIMUM_REQUEST_ID}`;
    throw refuse('INVALID_REQUEST', { field: 'request_id', problem });
  }
  const announced = announcedImages(header.images);
  const known = classifier.requests.find(header.requestId);
  if (known !== undefined) return repeated(announced.totalBytes, known);
  const description: BatchDescription = {
    images: announced.description,
    labels: header.labels.map(toReference),
    expectedStep: header.expectedStep ?? null,
    parameters: header.params.map(fromNamedValues),
  };
  // Steps on the way may bring the classifier there by the time it is this batch's turn, which is when it must match.
  const mayBeReached = (description.expectedStep ?? 0n) > BigInt(classifier.step);
  classifier.check(mayBeReached ? { ...description, expectedStep: null } : description);
  const augmentation = BatchAugmentation.admit(server, header, announced.description, classifier.settings);
  const { totalBytes, sink, finish } = orClose(augmentation, () => admitImages(server, announced, classifier.settings));
  const close = () => {
    sink.close();
    augmentation?.close();
  };
  const trainInTurn = async (turn: Turn, onQueued: () => void): Promise<TrainReceipt> => {
    const committed = performance.now();
    const uploadSeconds = (committed - started) / 1000;
    try {
      const received = await finish(classifier.settings, NEVER_ABORTED);
      const early = augmentation === null || augmentation.waitsForStep ? received : await augmentation.apply(received, 0);
      await turn.queue;
      if (!augmentation?.waitsForStep) classifier.announce(early.pixels);
      const inTurn = async () => {
        const refused = await turn.begin();
        const images = augmentation?.waitsForStep ? await augmentation.apply(early, classifier.step) : early;
        const expectedStep = description.expectedStep === null ? null : description.expectedStep - refused;
        return { ...description, expectedStep, images: images.description, pixels: images.pixels, uploadSeconds, committed };
      };
      const trained = classifier.trainOnce(header.requestId, inTurn, (result) => ({
        handle: server.handles.add('train_result', result),
        step: result.step,
        loss: result.loss,
      }));
      onQueued();
      const receipt = await trained;
      server.handles.touch(header.classifier);
      return receipt;
    } finally {
      close();
    }
  };
  const complete: AdmittedBatch['complete'] = (turn, onQueued = () => {}) => classifier.committed(() => trainInTurn(turn, onQueued));
  return { totalBytes, sink: { write: (offset, pieces, checksum) => sink.write(offset, pieces, checksum), close }, complete };
}

/** What `admit` gives; where it throws, what was admitted before is given back. */
function orClose<Result>(admitted: BatchAugmentation | null, admit: () => Result): Result {
  try {
    return admit();
  } catch (error) {
    admitted?.close();
    throw error;
  }
}

/** Takes a repeated upload, whose answer is known, to its end. */
function repeated(totalBytes: number, answer: Promise<TrainReceipt>): AdmittedBatch {
  return {
    totalBytes,
    sink: { write: (_offset, pieces, checksum) => checksumOf(pieces, checksum), close: () => {} },
    complete: () => answer,
  };
}

const NEVER_ABORTED = new AbortController().signal;

function toReference({ label }: Label): LabelReference {
  return label?.value ?? null;
}
