/** What every call takes. */
export interface CallOptions {
  /** Ends the call; it then rejects with the signal's reason. A step whose batch had arrived may be applied all the same. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds after which the call rejects with DeadlineExceededError; Infinity, or 2^31 and more, is no limit.
   *
   * @default the connection's `timeoutMs`, or its `transferTimeoutMs` for calls that carry images or whole classifiers
   */
  readonly timeoutMs?: number | undefined;
}

/** Calls `listener` once when the signal is aborted, at once if it is already. Returns what ends the waiting. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => {};
  if (signal.aborted) {
    listener();
    return () => {};
  }
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

/** The promise's result, or a rejection with the signal's reason as soon as that is aborted. */
export async function untilAborted<Result>(promise: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  let stopWaiting = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stopWaiting = onAbort(signal, () => reject(signal?.reason));
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stopWaiting();
  }
}
