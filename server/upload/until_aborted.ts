import type { UploadMessages } from './messages.js';

/** The same messages; once the signal is aborted, a reader that waits for the next one is told the signal's reason. */
export function untilAborted<Message>(messages: UploadMessages<Message>, signal: AbortSignal): UploadMessages<Message> {
  let giveUp: (reason: unknown) => void = () => {};
  signal.addEventListener('abort', () => giveUp(signal.reason), { once: true });
  return {
    next: (take) => {
      if (signal.aborted) return Promise.reject(signal.reason);
      // Promise.race would leave a reaction at the signal's promise with every message.
      return new Promise((resolve, reject) => {
        giveUp = reject;
        messages.next(take).then(resolve, reject);
      });
    },
  };
}
