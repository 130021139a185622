import { readFile } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import { ImageUndecodableError } from '../errors/refusals.js';
import type { ImageFile } from './image.js';

/**
 * The bytes of an image file that is sent as it is.
 *
 * @param index of the image in its call, for the error
 * @throws ImageUndecodableError where it cannot be read; the signal's reason
 */
export async function readImageFile(path: string, index: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  try {
    return await readFile(path, { signal });
  } catch (error) {
    throw signal?.aborted ? signal.reason : undecodable(path, index, error);
  }
}

/** What the server would say of such a file. */
export function undecodable(file: ImageFile, index: number, cause: unknown): ImageUndecodableError {
  const problem = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
  const name = typeof file === 'string' ? `image ${index} (${file})` : `image ${index}`;
  return new ImageUndecodableError(`${name} cannot be decoded: ${problem}; give JPEG, PNG, WebP, TIFF or GIF, or plain pixels`, {
    reason: 'IMAGE_UNDECODABLE',
    number: 5503,
    status: status.INVALID_ARGUMENT,
    retryable: false,
    metadata: { image: String(index), problem },
    cause,
  });
}
