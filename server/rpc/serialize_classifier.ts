import { crc32 } from 'node:zlib';
import type { SerializeClassifierRequest, SerializeClassifierResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { CHUNK_BYTES } from '../config.js';
import { type SerializedClassifier, serializeClassifier as serialize } from '../store/classifier_file.js';
import type { CallContext } from './context.js';

/** SerializeClassifier: the bytes of the file that WriteClassifier would store. */
export async function* serializeClassifier(
  request: SerializeClassifierRequest,
  { server }: CallContext,
): AsyncGenerator<SerializeClassifierResponse> {
  const classifier = server.handles.get('classifier', request.classifier);
  const serialized = await serialize(await classifier.toRecord());
  let sent = 0;
  let checksum = 0;
  for (const data of chunks(serialized)) {
    const first = sent === 0;
    sent += data.byteLength;
    checksum = crc32(data, checksum);
    const commit = sent === serialized.totalBytes ? { crc32: checksum } : undefined;
    yield { totalBytes: first ? BigInt(serialized.totalBytes) : 0n, data, commit };
  }
}

/** The bytes in chunks of equal size, the last but shorter: the parts are many and mostly small. */
function* chunks({ parts, totalBytes }: SerializedClassifier): Generator<Uint8Array> {
  let chunk = new Uint8Array(Math.min(CHUNK_BYTES, totalBytes));
  let filled = 0;
  let left = totalBytes;
  for (const part of parts) {
    for (let offset = 0; offset < part.byteLength; ) {
      const piece = part.subarray(offset, offset + chunk.byteLength - filled);
      chunk.set(piece, filled);
      filled += piece.byteLength;
      offset += piece.byteLength;
      if (filled < chunk.byteLength) continue;
      yield chunk;
      left -= filled;
      chunk = new Uint8Array(Math.min(CHUNK_BYTES, left));
      filled = 0;
    }
  }
}
