import type { ClientHttp2Stream } from 'node:http2';
import { setTimeout as pause } from 'node:timers/promises';
import { crc32 } from '../../checksum/crc32.js';
import { http2StreamOf, type SendingCall } from '../transport/http2_stream.js';
import { chunks, type UploadBody } from './body.js';
import { chunkHead, frame } from './frame.js';

/** Milliseconds between two looks for the stream of a call whose channel connects. */
const CONNECTING_MS = 1;

/**
 * The sending side of a call whose messages are encoded already. It is no faster than the server takes them: what is written waits in the
 * HTTP/2 stream, one chunk at most. The first message goes through grpc-js, the others to the stream that it opened.
 */
export class Outgoing {
  #ended = false;
  /** The stream, once the first message has been written; null if the call ended before. */
  #opened: Promise<ClientHttp2Stream | null> | null = null;

  /** @param call that was started just now */
  constructor(private readonly call: SendingCall) {
    call.once('status', () => {
      this.#ended = true;
    });
  }

  /** Resolves when the call takes more: with false if it has ended, so that nothing more need be sent. */
  async write(message: Buffer): Promise<boolean> {
    if (this.#opened === null) {
      this.#opened = this.#open(message);
      return (await this.#opened) !== null;
    }
    return await this.#send([frame(message)]);
  }

  /** Sends a body in chunks, without copying it. Resolves with its CRC-32; with null if the call has ended. */
  async writeBody(body: UploadBody): Promise<number | null> {
    let checksum = 0;
    for (const { pieces, byteLength } of chunks(body)) {
      for (const piece of pieces) checksum = crc32(piece, checksum);
      if (!(await this.#send([chunkHead(byteLength), ...pieces]))) return null;
    }
    return checksum;
  }

  async #open(message: Buffer): Promise<ClientHttp2Stream | null> {
    await new Promise<void>((resolve) => {
      this.call.once('status', () => resolve());
      this.call.write(message, () => resolve());
    });
    // grpc-js takes the message before it has a connection, and does not tell when it has got one.
    for (; !this.#ended; await pause(CONNECTING_MS)) {
      const stream = http2StreamOf(this.call);
      if (stream !== null) return stream;
    }
    return null;
  }

  async #send(buffers: readonly Buffer[]): Promise<boolean> {
    const stream = (await this.#opened) ?? null;
    if (stream === null || this.#ended || stream.writableEnded || stream.destroyed) return false;
    stream.cork();
    let takesMore = true;
    for (const buffer of buffers) takesMore = stream.write(buffer);
    stream.uncork();
    if (!takesMore) await this.#drained(stream);
    return !this.#ended;
  }

  #drained(stream: ClientHttp2Stream): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        for (const event of ['drain', 'close'] as const) stream.off(event, go);
        this.call.off('status', go);
        resolve();
      };
      for (const event of ['drain', 'close'] as const) stream.once(event, go);
      this.call.once('status', go);
    });
  }
}
