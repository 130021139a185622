import type { Readable } from 'node:stream';
import type { UploadMessages } from '../upload/messages.js';

/** The messages of a call, for as long as somebody wants them. */
export interface CallMessages<Message> extends UploadMessages<Message> {
  /**
   * What still comes is dropped as it comes. For a call that is answered before its stream has ended: bytes that nobody reads would keep
   * the connection's socket open after the client has left.
   */
  leave(): void;
}

/**
 * The messages of a call as grpc-js gives them, each as a message. Unlike the iterator that every stream has, this one never destroys the
 * call, so that it can be answered with an error while somebody waits for its next message.
 *
 * @param signal a reader that waits when it is aborted is told its reason
 */
export function messagesOf<Message>(call: Readable, signal: AbortSignal): CallMessages<Message> {
  let ended = false;
  let wake = (): void => {};
  const end = () => {
    ended = true;
    wake();
  };
  call.on('readable', () => wake());
  for (const event of ['end', 'close', 'error']) call.on(event, end);
  signal.addEventListener('abort', () => wake(), { once: true });
  const next = async (): Promise<Message | null> => {
    for (;;) {
      signal.throwIfAborted();
      const message: Message | null = call.read();
      if (message !== null || ended) return message;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const leave = () => {
    end();
    call.removeAllListeners('readable');
    call.resume();
  };
  return { next, leave };
}
