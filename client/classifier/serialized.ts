import { crc32 } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { DeserializeClassifierRequest } from '../../generated/dlclassifier/v1/classifier.js';
import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import { TransportError } from '../errors/error.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { uploadBody } from '../upload/body.js';
import { send } from '../upload/send.js';

/** @throws TransportError (DATA_LOSS) where the bytes are not those that the server sent */
export async function receiveSerialized(connection: Connection, classifier: string, options: CallOptions): Promise<Buffer> {
  let bytes: Buffer | null = null;
  let received = 0;
  for await (const message of connection.download(service.serializeClassifier, { classifier }, options)) {
    bytes ??= Buffer.alloc(Number(message.totalBytes));
    if (received + message.data.byteLength > bytes.byteLength) throw damaged(`more than the ${bytes.byteLength} bytes that were announced`);
    bytes.set(message.data, received);
    received += message.data.byteLength;
    if (message.commit === undefined) continue;
    if (received < bytes.byteLength) throw damaged(`${received} of ${bytes.byteLength} bytes`);
    if (crc32(bytes) !== message.commit.crc32) throw damaged('the checksum differs');
    return bytes;
  }
  throw damaged(`the stream ended after ${received} bytes, without its checksum`);
}

/** @returns the handle of the new classifier */
export async function sendSerialized(connection: Connection, bytes: Uint8Array, options: CallOptions): Promise<string> {
  const upload = {
    method: service.deserializeClassifier,
    header: { totalBytes: BigInt(bytes.byteLength) },
    body: uploadBody([bytes]),
    message: (fields: Pick<DeserializeClassifierRequest, 'header' | 'commit'>): DeserializeClassifierRequest =>
      DeserializeClassifierRequest.fromPartial(fields),
  };
  return (await send(connection, upload, options)).classifier;
}

function damaged(problem: string): TransportError {
  const details = { reason: null, number: null, status: status.DATA_LOSS, retryable: true, metadata: {} };
  return new TransportError(`the classifier arrived damaged: ${problem}; serialize it again`, details);
}
