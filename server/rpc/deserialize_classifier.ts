import type { DeserializeClassifierRequest, DeserializeClassifierResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { refuse } from '../errors/refusal.js';
import { deserializeClassifier as deserialize } from '../store/classifier_file.js';
import type { UploadMessages } from '../upload/messages.js';
import { receiveUpload } from '../upload/receive.js';
import { admitWhole } from '../upload/whole.js';
import type { CallContext } from './context.js';

/** What refusals call the bytes, which have no name. */
const FILE_NAME = 'the serialized classifier';

/** DeserializeClassifier: a classifier from the bytes that SerializeClassifier gave. */
export async function deserializeClassifier(
  messages: UploadMessages<DeserializeClassifierRequest>,
  context: CallContext,
): Promise<DeserializeClassifierResponse> {
  const { server, signal } = context;
  const upload = await receiveUpload(messages, ({ totalBytes }) => admitWhole(totalBytes, server), context);
  try {
    const classifier = await server.openClassifier(async () => {
      const device = await server.devices.preferred();
      const record = await deserialize(upload.bytes, FILE_NAME, device.precisions);
      return server.classifiers.stored(record, device, (problem) => refuse('FILE_DAMAGED', { file_name: FILE_NAME, problem }));
    }, signal);
    return { classifier };
  } finally {
    upload.sink.close();
  }
}
