import { constants } from 'node:buffer';
import { refuse } from '../errors/refusal.js';
import { hostMemory } from '../host_memory.js';
import type { ServerState } from '../state.js';
import { checksumOf } from './checksum.js';
import type { UploadDeclaration, UploadSink } from './receive.js';

/** An upload that is kept in memory as a whole. */
export interface WholeUpload extends UploadDeclaration {
  readonly bytes: Uint8Array;
}

/**
 * Admits a file of so many bytes.
 *
 * @throws Refusal LIMIT_EXCEEDED, SERVER_BUSY
 */
export function admitWhole(totalBytes: bigint, { limits, uploads }: Pick<ServerState, 'limits' | 'uploads'>): WholeUpload {
  const maximum = Math.min(limits.serializedBytes, constants.MAX_LENGTH);
  if (totalBytes > BigInt(maximum)) throw refuse('LIMIT_EXCEEDED', { limit: 'serialized_bytes', got: totalBytes, maximum });
  const close = uploads.reserve(Number(totalBytes));
  const bytes = memoryFor(Number(totalBytes), close);
  const write: UploadSink['write'] = (offset, pieces, checksum) => {
    let place = offset;
    for (const piece of pieces) {
      bytes.set(piece, place);
      place += piece.byteLength;
    }
    return checksumOf(pieces, checksum);
  };
  return { totalBytes: bytes.byteLength, bytes, sink: { write, close } };
}

/** @param release gives back what was reserved for it where it cannot be had */
function memoryFor(bytes: number, release: () => void): Uint8Array {
  try {
    return hostMemory(bytes);
  } catch (error) {
    release();
    throw error;
  }
}
