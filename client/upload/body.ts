/** Bytes of images in one message, at most. */
export const CHUNK_BYTES = 128 * 1024;

/** Pieces of a chunk beyond which one copy of all is cheaper than so many writes. */
const MOST_PIECES = 32;

/** The bytes of an upload: the parts one after the other. */
export interface UploadBody {
  readonly parts: readonly Uint8Array[];
  readonly byteLength: number;
}

/** Bytes of a body that travel in one message: views of its parts, one after the other. */
export interface Chunk {
  readonly pieces: readonly Buffer[];
  readonly byteLength: number;
}

export function uploadBody(parts: readonly Uint8Array[]): UploadBody {
  return { parts, byteLength: parts.reduce((sum, part) => sum + part.byteLength, 0) };
}

/** The body cut into chunks of CHUNK_BYTES, the last one shorter; parts that are smaller than a chunk share one. */
export function* chunks({ parts, byteLength: total }: UploadBody): Generator<Chunk, void, undefined> {
  let part = 0;
  let partOffset = 0;
  for (let offset = 0; offset < total; offset += CHUNK_BYTES) {
    const byteLength = Math.min(CHUNK_BYTES, total - offset);
    const pieces: Buffer[] = [];
    for (let filled = 0; filled < byteLength; ) {
      const source = parts[part] as Uint8Array;
      const count = Math.min(source.byteLength - partOffset, byteLength - filled);
      if (count > 0) pieces.push(Buffer.from(source.buffer, source.byteOffset + partOffset, count));
      filled += count;
      partOffset += count;
      if (partOffset === source.byteLength) {
        part++;
        partOffset = 0;
      }
    }
    yield { pieces: pieces.length > MOST_PIECES ? [Buffer.concat(pieces, byteLength)] : pieces, byteLength };
  }
}
