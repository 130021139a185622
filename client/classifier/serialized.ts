import { DeserializeClassifierRequest } from '../../generated/dlclassifier/v1/classifier.js';
import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { receiveBytes } from '../transport/receive_bytes.js';
import { type RepeatableCallOptions, repeatable } from '../transport/retry.js';
import { uploadBody } from '../upload/body.js';
import { send } from '../upload/send.js';

/** The bytes of the file that `write` would store. @throws TransportError (DATA_LOSS) where they are not those that the server sent */
export function receiveSerialized(connection: Connection, classifier: string, options: RepeatableCallOptions): Promise<Buffer> {
  return repeatable(options, () => receiveBytes(connection.download(service.serializeClassifier, { classifier }, options)));
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
