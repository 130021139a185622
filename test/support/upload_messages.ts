import type { UploadMessages } from '../../server/upload/messages.js';

/** Messages as a generator gives them; of an array of pieces the bytes come without a message. */
export function uploadMessages<Message extends object>(source: AsyncIterable<Message | readonly Uint8Array[]>): UploadMessages<Message> {
  const iterator = source[Symbol.asyncIterator]();
  return {
    next: async (take) => {
      for (;;) {
        const { done, value } = await iterator.next();
        if (done) return null;
        if (!isPieces(value)) return value;
        take(value);
      }
    },
  };
}

function isPieces(value: object): value is readonly Uint8Array[] {
  return Array.isArray(value);
}
