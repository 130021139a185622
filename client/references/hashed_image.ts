import { createHash } from 'node:crypto';

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** An image of a call by the digest of the bytes that would be sent, which need not be in memory. */
export class HashedImage {
  private constructor(
    /** SHA-256, 32 bytes. */
    public digest: Buffer,
    public byteLength: number,
    private readonly read: () => Promise<Uint8Array>,
    private bytes: Uint8Array | null,
  ) {}

  static of(bytes: Uint8Array, digest = sha256(bytes)): HashedImage {
    return new HashedImage(digest, bytes.byteLength, async () => bytes, bytes);
  }

  /** @param read makes the bytes when they are needed */
  static absent(digest: Buffer, byteLength: number, read: () => Promise<Uint8Array>): HashedImage {
    return new HashedImage(digest, byteLength, read, null);
  }

  /** The bytes. What was read may have changed since its digest was computed: then the digest is another one afterwards. */
  async load(): Promise<Uint8Array> {
    if (this.bytes !== null) return this.bytes;
    const bytes = await this.read();
    this.digest = sha256(bytes);
    this.byteLength = bytes.byteLength;
    this.bytes = bytes;
    return bytes;
  }
}
