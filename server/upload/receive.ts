import type { UploadCommit } from '../../generated/dlclassifier/v1/image.js';
import { CHUNK_BYTES, type Limits } from '../config.js';
import { type Refusal, refuse } from '../errors/refusal.js';
import { IdleLimit } from './idle_limit.js';
import type { TakePieces, UploadMessages } from './messages.js';

/** One message of an upload; each upload's messages name their bytes in their own way. */
export type UploadMessage<Header> = {
  readonly header?: Header | undefined;
  readonly commit?: UploadCommit | undefined;
} & ({ readonly pixels: Uint8Array } | { readonly data: Uint8Array });

/** Where the bytes of an upload go. A staging buffer of the engine is one. */
export interface UploadSink {
  /**
   * Copies the pieces to `offset`, one after the other: they are only valid during the call.
   *
   * @param checksum CRC-32 of all bytes before them, 0 for none
   * @returns that of all bytes up to the last of them
   */
  write(offset: number, pieces: readonly Uint8Array[], checksum: number): number;
  /** Frees what the sink holds. */
  close(): void;
}

/** What an admitted header promises. */
export interface UploadDeclaration {
  /** Exactly as many bytes must follow. */
  readonly totalBytes: number;
  readonly sink: UploadSink;
}

/** The part of a call's context that an upload needs. */
export interface UploadContext {
  readonly signal: AbortSignal;
  readonly server: { readonly limits: Pick<Limits, 'transferIdleSeconds'> };
}

/**
 * Receives the uploads of a call one after the other: header, bytes and commit. The end of the stream says nothing: a cancelled call, a
 * killed client and a passed deadline all look like a finished stream, so only a commit whose checksum is that of all declared bytes
 * completes an upload. Whatever goes wrong, the sink is closed here; on success it is the caller's.
 *
 * Memory: the sink of the declared size, which `admit` has checked, and one message.
 */
export class UploadReceiver<Header> {
  /** Whether an upload has begun and its commit has not come. */
  #underWay = false;
  /** Bytes of the present upload that have come. */
  #received = 0;

  readonly #limit: IdleLimit;

  /** @param idleSeconds in which each message of an upload under way must come */
  constructor(
    private readonly messages: UploadMessages<UploadMessage<Header>>,
    private readonly signal: AbortSignal,
    idleSeconds: number,
  ) {
    this.#limit = new IdleLimit(idleSeconds);
  }

  /**
   * The next upload; null where the messages end before it begins. What follows its commit is not read.
   *
   * @param admit checks the header before a byte is kept, and makes the sink; throws a Refusal
   * @param begun whether it counts as under way before its first message
   * @throws Refusal UPLOAD_TRUNCATED, UPLOAD_MALFORMED, UPLOAD_CHECKSUM_MISMATCH, CLIENT_STALLED; the signal's reason once it is aborted
   */
  async next<Declaration extends UploadDeclaration>(
    admit: (header: Header) => Declaration | Promise<Declaration>,
    begun = false,
  ): Promise<Declaration | null> {
    this.#underWay = begun;
    let declaration: Declaration | null = null;
    let checksum = 0;
    let over = false;
    this.#received = 0;
    const write = (pieces: readonly Uint8Array[]) => {
      // A sink that is closed, or its new owner's, gets nothing any more.
      if (over) return;
      if (declaration === null) throw withoutHeader();
      const received = checkPieces(pieces, this.#received, declaration.totalBytes);
      if (received > this.#received) checksum = declaration.sink.write(this.#received, pieces, checksum);
      this.#received = received;
    };
    try {
      for (;;) {
        const message = await this.#take(write);
        if (message === null && !this.#underWay) return null;
        if (message === null) throw refuse('UPLOAD_TRUNCATED', { got: this.#received, wanted: declaration?.totalBytes ?? 'unknown' });
        this.#underWay = message.commit === undefined;
        if (declaration === null) {
          declaration = await admit(firstHeader(message));
          this.signal.throwIfAborted();
        } else if (message.header !== undefined) {
          throw refuse('UPLOAD_MALFORMED', { problem: 'a second header' });
        }
        write([bytesOf(message)]);
        if (message.commit !== undefined) {
          checkCommit(message.commit, checksum, this.#received, declaration.totalBytes);
          return declaration;
        }
      }
    } catch (error) {
      declaration?.sink.close();
      // A cancelled call may show as a stream error first; the signal knows better why it ended.
      throw this.signal.aborted ? this.signal.reason : error;
    } finally {
      over = true;
      this.#limit.end();
    }
  }

  /** Drops the rest of an upload that was refused, up to its commit or the end of the messages: then the next one may follow. */
  async skip(): Promise<void> {
    while (this.#underWay) {
      const message = await this.#take(() => {});
      this.#underWay = message !== null && message.commit === undefined;
    }
    this.#limit.end();
  }

  /** The next message; null at their end. */
  async #take(write: TakePieces): Promise<UploadMessage<Header> | null> {
    const next = this.messages.next((pieces) => {
      write(pieces);
      this.#limit.extend();
    });
    const problem = () => `nothing came after ${this.#received} bytes of an upload`;
    const message = await (this.#underWay ? this.#limit.within(next, problem) : next);
    this.signal.throwIfAborted();
    return message;
  }
}

/**
 * Receives the one upload of a call; the first message must come in time, too.
 *
 * @param admit as for {@link UploadReceiver.next}
 * @throws what {@link UploadReceiver.next} throws
 */
export async function receiveUpload<Header, Declaration extends UploadDeclaration>(
  messages: UploadMessages<UploadMessage<Header>>,
  admit: (header: Header) => Declaration | Promise<Declaration>,
  { signal, server }: UploadContext,
): Promise<Declaration> {
  const receiver = new UploadReceiver(messages, signal, server.limits.transferIdleSeconds);
  const upload = await receiver.next(admit, true);
  if (upload === null) throw refuse('UPLOAD_TRUNCATED', { got: 0, wanted: 'unknown' });
  return upload;
}

function firstHeader<Header>(message: UploadMessage<Header>): Header {
  if (message.header === undefined) throw withoutHeader();
  return message.header;
}

function withoutHeader(): Refusal {
  return refuse('UPLOAD_MALFORMED', { problem: 'the first message has no header' });
}

function bytesOf(message: UploadMessage<unknown>): Uint8Array {
  return 'pixels' in message ? message.pixels : message.data;
}

/** Bytes that have come with these pieces. */
function checkPieces(pieces: readonly Uint8Array[], before: number, total: number): number {
  let received = before;
  for (const { byteLength } of pieces) {
    if (byteLength > CHUNK_BYTES) {
      throw refuse('UPLOAD_MALFORMED', { problem: `a message with ${byteLength} bytes; a message may carry ${CHUNK_BYTES}` });
    }
    received += byteLength;
    if (received > total) throw refuse('UPLOAD_MALFORMED', { problem: `at least ${received} bytes came, ${total} were declared` });
  }
  return received;
}

function checkCommit(commit: UploadCommit, checksum: number, received: number, total: number): void {
  if (received < total) throw refuse('UPLOAD_TRUNCATED', { got: received, wanted: total });
  if (commit.crc32 !== checksum) throw refuse('UPLOAD_CHECKSUM_MISMATCH', { got: hex(checksum), wanted: hex(commit.crc32) });
}

/** As `crc32` and `cksum -o 3` print it. */
function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
