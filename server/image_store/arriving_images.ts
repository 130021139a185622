import { createHash, type Hash } from 'node:crypto';
import { refuse } from '../errors/refusal.js';
import { checksumOf } from '../upload/checksum.js';
import type { UploadSink } from '../upload/receive.js';
import { hexadecimal, type ImageKind, nameOf } from './image_name.js';
import type { ArrivedImage } from './stored_image.js';

/** An image on its way: as many bytes as have come, and their digest. */
interface Arriving {
  readonly data: Uint8Array;
  readonly hash: Hash;
}

/**
 * Where the images of an upload gather. Their digests are computed message by message, at most 1 MiB of it a turn of the event loop. Each
 * image gets memory of its own when its first byte comes.
 */
export class ArrivingImages implements UploadSink {
  #images: Arriving[] = [];
  /** Bytes of the images before the last one. */
  #complete = 0;

  /** @param sizes bytes of each image, 1 or more */
  constructor(private readonly sizes: readonly number[]) {}

  write(offset: number, pieces: readonly Uint8Array[], checksum: number): number {
    let place = offset;
    for (const piece of pieces) {
      this.#write(place, piece);
      place += piece.byteLength;
    }
    return checksumOf(pieces, checksum);
  }

  close(): void {
    this.#images = [];
  }

  /**
   * After the last byte, once.
   *
   * @param digests SHA-256 of each image as declared
   * @throws Refusal IMAGE_HASH_MISMATCH
   */
  arrived(kind: ImageKind, digests: readonly Uint8Array[]): ArrivedImage[] {
    return this.#images.map(({ data, hash }, image) => {
      const got = hash.digest('hex');
      const wanted = hexadecimal(digests[image] ?? new Uint8Array());
      if (got !== wanted) throw refuse('IMAGE_HASH_MISMATCH', { image, got, wanted });
      return { name: nameOf(got, kind), data };
    });
  }

  #write(offset: number, bytes: Uint8Array): void {
    for (let taken = 0; taken < bytes.byteLength; ) {
      const { data, hash } = this.#imageAt(offset + taken);
      const filled = offset + taken - this.#complete;
      const part = bytes.subarray(taken, taken + data.byteLength - filled);
      data.set(part, filled);
      hash.update(part);
      taken += part.byteLength;
    }
  }

  /** The image that a byte belongs to, which is the last one that has begun or the next. */
  #imageAt(offset: number): Arriving {
    const last = this.#images.at(-1);
    if (last !== undefined) {
      if (offset < this.#complete + last.data.byteLength) return last;
      this.#complete += last.data.byteLength;
    }
    const next = { data: Buffer.allocUnsafeSlow(this.sizes[this.#images.length] ?? 0), hash: createHash('sha256') };
    this.#images.push(next);
    return next;
  }
}
