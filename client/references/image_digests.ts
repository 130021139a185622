import { stat } from 'node:fs/promises';
import { crc32 } from '../../checksum/crc32.js';
import { HashedImage, sha256 } from './hashed_image.js';

interface KnownFile {
  readonly modified: number;
  readonly fileBytes: number;
  readonly digest: Buffer;
  readonly byteLength: number;
}

interface KnownArray {
  /** null where the array was said not to change. */
  readonly crc: number | null;
  readonly digest: Buffer;
}

/** Digests of images that were sent before, so that each is computed once. */
export class ImageDigests {
  readonly #files = new Map<string, KnownFile>();
  readonly #arrays = new WeakMap<object, KnownArray>();

  /**
   * Of what is sent of a file; one that has another size or date than before is read anew.
   *
   * @param form what is made of the file before it is sent: another form has another digest
   * @param read makes the bytes that are sent
   */
  async ofFile(path: string, form: string, read: () => Promise<Uint8Array>): Promise<HashedImage> {
    const key = `${form} ${path}`;
    const found = await stat(path).catch(() => null);
    const known = this.#files.get(key);
    if (found !== null && known !== undefined && known.modified === found.mtimeMs && known.fileBytes === found.size) {
      return HashedImage.absent(known.digest, known.byteLength, read);
    }
    const image = HashedImage.of(await read());
    if (found !== null) {
      const { digest, byteLength } = image;
      this.#files.set(key, { modified: found.mtimeMs, fileBytes: found.size, digest, byteLength });
    }
    return image;
  }

  /**
   * Of bytes in memory. Whoever holds them may change them, so that their CRC-32 is compared each time, at several GB/s.
   *
   * @param owner what the caller would give again
   * @param constant whether the caller says that they never change
   */
  ofBytes(bytes: Uint8Array, owner: object, constant: boolean): HashedImage {
    const known = this.#arrays.get(owner);
    if (constant && known !== undefined) return HashedImage.of(bytes, known.digest);
    const crc = constant ? null : crc32(bytes);
    if (known !== undefined && known.crc === crc) return HashedImage.of(bytes, known.digest);
    const digest = sha256(bytes);
    this.#arrays.set(owner, { crc, digest });
    return HashedImage.of(bytes, digest);
  }
}
