import { crc32 } from 'node:zlib';
import type { ClientDuplexStream, ClientWritableStream } from '@grpc/grpc-js';
import { chunkMessages, type UploadBody } from './body.js';

type OutgoingStream = ClientWritableStream<Buffer> | ClientDuplexStream<Buffer, unknown>;

/** The sending side of a call whose messages are encoded already. It is no faster than the server takes them. */
export class Outgoing {
  #ended = false;
  #onEnd = (): void => {};

  /** @param stream of a call that was started just now */
  constructor(private readonly stream: OutgoingStream) {
    stream.once('status', () => {
      this.#ended = true;
      this.#onEnd();
    });
  }

  /** Resolves when the call takes more: with false if it has ended, so that nothing more need be sent. */
  async write(message: Buffer): Promise<boolean> {
    if (this.#ended) return false;
    if (!this.stream.write(message)) await this.#drained();
    return !this.#ended;
  }

  /** Sends a body in chunks. Resolves with its CRC-32; with null if the call has ended. */
  async writeBody(body: UploadBody): Promise<number | null> {
    let checksum = 0;
    for (const { message, payload } of chunkMessages(body)) {
      checksum = crc32(payload, checksum);
      if (!(await this.write(message))) return null;
    }
    return checksum;
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        this.stream.off('drain', go);
        resolve();
      };
      this.stream.once('drain', go);
      this.#onEnd = go;
    });
  }
}
