import { allocateChunkMessage, CHUNK_BYTES } from './chunk_message.js';

/** The bytes of an upload: the parts one after the other. */
export interface UploadBody {
  readonly parts: readonly Uint8Array[];
  readonly byteLength: number;
}

export function uploadBody(parts: readonly Uint8Array[]): UploadBody {
  return { parts, byteLength: parts.reduce((sum, part) => sum + part.byteLength, 0) };
}

/** The body cut into messages of CHUNK_BYTES, the last one shorter; parts that are smaller than a chunk share one. */
export function* chunkMessages(body: UploadBody): Generator<{ readonly message: Buffer; readonly payload: Buffer }, void, undefined> {
  let part = 0;
  let partOffset = 0;
  for (let offset = 0; offset < body.byteLength; offset += CHUNK_BYTES) {
    const chunk = allocateChunkMessage(Math.min(CHUNK_BYTES, body.byteLength - offset));
    let filled = 0;
    while (filled < chunk.payload.byteLength) {
      const source = body.parts[part] as Uint8Array;
      const count = Math.min(source.byteLength - partOffset, chunk.payload.byteLength - filled);
      chunk.payload.set(source.subarray(partOffset, partOffset + count), filled);
      filled += count;
      partOffset += count;
      if (partOffset === source.byteLength) {
        part++;
        partOffset = 0;
      }
    }
    yield chunk;
  }
}
