import { crc32 } from 'node:zlib';
import type { UploadCommit } from '../../generated/dlclassifier/v1/image.js';
import { type CallOptions, onAbort, untilAborted } from '../transport/call_options.js';
import type { Connection, Method, UploadCall } from '../transport/connection.js';
import { chunkMessages, type UploadBody } from './body.js';

/** What the messages of the contract's uploads have in common. */
export interface UploadMessage<Header> {
  readonly header: Header | undefined;
  readonly commit: UploadCommit | undefined;
}

export interface Upload<Header, Request, Response> {
  readonly method: Method<Request, Response>;
  readonly header: Header;
  readonly body: UploadBody;
  /** The message that carries these and no bytes. */
  readonly message: (fields: UploadMessage<Header>) => Request;
}

export interface SendOptions extends CallOptions {
  /** What the commit waits for when all bytes are on their way; a rejection ends the call, and nothing happens on the server. */
  readonly beforeCommit?: (() => Promise<void>) | undefined;
  /** Ends the call only as long as it is not committed. */
  readonly signalBeforeCommit?: AbortSignal | undefined;
}

/** Sends header, bytes and commit as fast as the server takes them, and resolves with its response. */
export async function send<Header, Request, Response>(
  connection: Connection,
  upload: Upload<Header, Request, Response>,
  options: SendOptions,
): Promise<Response> {
  const early = options.signalBeforeCommit;
  early?.throwIfAborted();
  const call = connection.upload(upload.method, options);
  // It may be rejected while nobody waits for it; whoever does is told then.
  call.response.catch(() => {});
  const stopWaiting = onAbort(early, () => call.stream.cancel());
  const encode = (fields: UploadMessage<Header>): Buffer => upload.method.requestSerialize(upload.message(fields));
  try {
    await write(call, encode({ header: upload.header, commit: undefined }));
    let checksum = 0;
    for (const { message, payload } of chunkMessages(upload.body)) {
      checksum = crc32(payload, checksum);
      if (!(await write(call, message))) return await call.response;
    }
    if (options.beforeCommit !== undefined) {
      // The server may refuse in the meantime: no need to wait for our turn then.
      await Promise.race([untilAborted(options.beforeCommit(), options.signal), call.response]);
    }
    stopWaiting();
    await write(call, encode({ header: undefined, commit: { crc32: checksum } }));
    call.stream.end();
    return await call.response;
  } catch (error) {
    call.stream.cancel();
    throw early?.aborted ? early.reason : error;
  } finally {
    stopWaiting();
  }
}

/** Resolves when the stream takes more: with false if the call has ended, so that nothing more need be sent. */
async function write<Response>(call: UploadCall<Response>, message: Buffer): Promise<boolean> {
  if (call.stream.write(message)) return true;
  let onDrain = (): void => {};
  const drained = new Promise<true>((resolve) => {
    onDrain = () => resolve(true);
    call.stream.once('drain', onDrain);
  });
  const ended = call.response.then(
    () => false,
    () => false,
  );
  try {
    return await Promise.race([drained, ended]);
  } finally {
    call.stream.off('drain', onDrain);
  }
}
