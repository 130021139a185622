import type { ApplyClassifierHeader, ApplyClassifierRequest, ApplyClassifierResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { checkImages, expectClasses } from '../classifier/admission.js';
import type { Classifier } from '../classifier/classifier.js';
import { refuse } from '../errors/refusal.js';
import { APPLY_RESULT_BYTES, type ServerState } from '../state.js';
import type { UploadMessages } from '../upload/messages.js';
import { receiveUpload } from '../upload/receive.js';
import { announcedImages } from './announced_images.js';
import type { CallContext } from './context.js';
import { admitImages, type ImageUpload } from './image_upload.js';

/** ApplyClassifier: classifies any number of images, batch_size at a time. */
export async function applyClassifier(
  messages: UploadMessages<ApplyClassifierRequest>,
  context: CallContext,
): Promise<ApplyClassifierResponse> {
  const { server, signal } = context;
  const { classifier, handle, finish, sink } = await receiveUpload(messages, (header) => admit(header, server), context);
  try {
    const { description, pixels } = await finish(classifier.settings, signal);
    const result = await classifier.apply(description, pixels, signal);
    server.handles.touch(handle);
    // Nobody could clear a result that only a caller who has left would have learned of.
    signal.throwIfAborted();
    return { result: server.handles.add('apply_result', result), imageCount: result.imageCount };
  } finally {
    sink.close();
  }
}

interface AdmittedImages extends ImageUpload {
  readonly classifier: Classifier;
  readonly handle: string;
}

function admit(header: ApplyClassifierHeader, server: ServerState): AdmittedImages {
  const classifier = server.handles.get('classifier', header.classifier);
  classifier.expectUsable();
  const { settings } = classifier;
  expectClasses(settings);
  const announced = announcedImages(header.images);
  checkCount(announced.description.count, settings.classes.length, server);
  checkImages(settings, announced.description);
  return { ...admitImages(server, announced, settings), classifier, handle: header.classifier };
}

function checkCount(count: number, classes: number, { limits }: ServerState): void {
  if (count < 1) throw refuse('INVALID_REQUEST', { field: 'images.image_count', problem: 'give at least 1 image' });
  if (count > limits.applyImages) throw refuse('LIMIT_EXCEEDED', { limit: 'apply_images', got: count, maximum: limits.applyImages });
  const bytes = count * classes * Float32Array.BYTES_PER_ELEMENT;
  if (bytes > APPLY_RESULT_BYTES) throw refuse('LIMIT_EXCEEDED', { limit: 'apply_result_bytes', got: bytes, maximum: APPLY_RESULT_BYTES });
}
