import { crc32 } from '../../checksum/crc32.js';
import type { UploadCommit } from '../../generated/dlclassifier/v1/image.js';
import { CHUNK_BYTES } from '../config.js';
import type { SerializedClassifier } from '../store/classifier_file.js';

/** One message of a stream of bytes. */
export interface BytesMessage {
  /** Of the whole stream; in the first message, else 0. */
  readonly totalBytes: bigint;
  readonly data: Uint8Array;
  /** In the last message. */
  readonly commit: UploadCommit | undefined;
}

/** The messages that bytes go to a caller in. */
export function* bytesMessages(bytes: SerializedClassifier): Generator<BytesMessage> {
  let sent = 0;
  let checksum = 0;
  for (const data of chunks(bytes)) {
    const first = sent === 0;
    sent += data.byteLength;
    checksum = crc32(data, checksum);
    const commit = sent === bytes.totalBytes ? { crc32: checksum } : undefined;
    yield { totalBytes: first ? BigInt(bytes.totalBytes) : 0n, data, commit };
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
