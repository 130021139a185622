import { status } from '@grpc/grpc-js';
import { crc32 } from '../../checksum/crc32.js';
import type { UploadCommit } from '../../generated/dlclassifier/v1/image.js';
import { TransportError } from '../errors/error.js';

/** One message of a stream of bytes. */
interface BytesMessage {
  /** Of the whole stream; in the first message. */
  readonly totalBytes: bigint;
  readonly data: Uint8Array;
  /** In the last message. */
  readonly commit?: UploadCommit | undefined;
}

/** @throws TransportError (DATA_LOSS) where the bytes are not those that the server sent */
export async function receiveBytes(messages: AsyncIterable<BytesMessage>): Promise<Buffer> {
  let bytes: Buffer | null = null;
  let received = 0;
  for await (const message of messages) {
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

function damaged(problem: string): TransportError {
  const details = { reason: null, number: null, status: status.DATA_LOSS, retryable: true, metadata: {} };
  return new TransportError(`the classifier arrived damaged: ${problem}; ask for it again`, details);
}
