/** The same messages; once the signal is aborted, a reader that waits for the next one is told the signal's reason. */
export function untilAborted<Message>(messages: AsyncIterable<Message>, signal: AbortSignal): AsyncIterator<Message> {
  const iterator = messages[Symbol.asyncIterator]();
  let giveUp: (reason: unknown) => void = () => {};
  signal.addEventListener('abort', () => giveUp(signal.reason), { once: true });
  return {
    next: () => {
      if (signal.aborted) return Promise.reject(signal.reason);
      // Promise.race would leave a reaction at the signal's promise with every message.
      return new Promise((resolve, reject) => {
        giveUp = reject;
        iterator.next().then(resolve, reject);
      });
    },
  };
}
