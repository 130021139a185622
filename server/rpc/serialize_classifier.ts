import type { SerializeClassifierRequest, SerializeClassifierResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { serializeClassifier as serialize } from '../store/classifier_file.js';
import type { CallContext } from './context.js';
import { bytesMessages } from './send_bytes.js';

/** SerializeClassifier: the bytes of the file that WriteClassifier would store. */
export async function* serializeClassifier(
  request: SerializeClassifierRequest,
  { server }: CallContext,
): AsyncGenerator<SerializeClassifierResponse> {
  const classifier = server.handles.get('classifier', request.classifier);
  yield* bytesMessages(await serialize(await classifier.toRecord()));
}
