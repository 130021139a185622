import { constants } from 'node:buffer';
import type {
  DeserializeClassifierHeader,
  DeserializeClassifierRequest,
  DeserializeClassifierResponse,
} from '../../generated/dlclassifier/v1/classifier.js';
import { refuse } from '../errors/refusal.js';
import type { ServerState } from '../state.js';
import { deserializeClassifier as deserialize } from '../store/classifier_file.js';
import { receiveUpload, type UploadDeclaration } from '../upload/receive.js';
import type { CallContext } from './context.js';

/** What refusals call the bytes, which have no name. */
const FILE_NAME = 'the serialized classifier';

/** DeserializeClassifier: a classifier from the bytes that SerializeClassifier gave. */
export async function deserializeClassifier(
  messages: AsyncIterable<DeserializeClassifierRequest>,
  { server, signal }: CallContext,
): Promise<DeserializeClassifierResponse> {
  const upload = await receiveUpload(messages, (header) => admit(header, server), signal);
  try {
    const classifier = await server.openClassifier(async () => {
      const record = await deserialize(upload.bytes, FILE_NAME, server.engine.info.precisions);
      return server.classifiers.stored(record, (problem) => refuse('FILE_DAMAGED', { file_name: FILE_NAME, problem }));
    }, signal);
    return { classifier };
  } finally {
    upload.sink.close();
  }
}

interface SerializedUpload extends UploadDeclaration {
  readonly bytes: Uint8Array;
}

function admit({ totalBytes }: DeserializeClassifierHeader, { limits, uploads }: ServerState): SerializedUpload {
  const maximum = Math.min(limits.serializedBytes, constants.MAX_LENGTH);
  if (totalBytes > BigInt(maximum)) throw refuse('LIMIT_EXCEEDED', { limit: 'serialized_bytes', got: totalBytes, maximum });
  const close = uploads.reserve(Number(totalBytes));
  const bytes = new Uint8Array(Number(totalBytes));
  return { totalBytes: bytes.byteLength, bytes, sink: { write: (offset, data) => bytes.set(data, offset), close } };
}
