import type { UploadCommit } from '../../generated/dlclassifier/v1/image.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection, Method } from '../transport/connection.js';
import type { UploadBody } from './body.js';
import { Outgoing } from './outgoing.js';

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

/** Of an upload without bytes, which is one message. */
export const COMMIT_OF_NOTHING: UploadCommit = { crc32: 0 };

/** Sends header, bytes and commit as fast as the server takes them, and resolves with its response. */
export async function send<Header, Request, Response>(
  connection: Connection,
  upload: Upload<Header, Request, Response>,
  options: CallOptions,
): Promise<Response> {
  const call = connection.upload(upload.method, options);
  // It may be rejected while nobody waits for it; whoever does is told then.
  call.response.catch(() => {});
  const outgoing = new Outgoing(call.stream);
  const encode = (fields: UploadMessage<Header>): Buffer => upload.method.requestSerialize(upload.message(fields));
  try {
    if (upload.body.byteLength === 0) {
      await outgoing.write(encode({ header: upload.header, commit: COMMIT_OF_NOTHING }));
      call.stream.end();
      return await call.response;
    }
    await outgoing.write(encode({ header: upload.header, commit: undefined }));
    const checksum = await outgoing.writeBody(upload.body);
    if (checksum !== null) {
      await outgoing.write(encode({ header: undefined, commit: { crc32: checksum } }));
      call.stream.end();
    }
    return await call.response;
  } catch (error) {
    call.stream.cancel();
    throw error;
  }
}
