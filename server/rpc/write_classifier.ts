import type { WriteClassifierRequest, WriteClassifierResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { serializeClassifier } from '../store/classifier_file.js';
import { fileNameToWrite } from '../store/file_name.js';
import type { CallContext } from './context.js';

/** WriteClassifier: stores the classifier in the model folder, whole or not at all. */
export async function writeClassifier(request: WriteClassifierRequest, { server }: CallContext): Promise<WriteClassifierResponse> {
  const classifier = server.handles.get('classifier', request.classifier);
  const fileName = fileNameToWrite(request.fileName);
  const serialized = await serializeClassifier(await classifier.toRecord());
  await server.folder.write(fileName, serialized);
  return { fileName, sizeBytes: BigInt(serialized.totalBytes) };
}
