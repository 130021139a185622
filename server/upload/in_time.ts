import { refuse } from '../errors/refusal.js';

/**
 * What the client does next; rejected where that takes too long, so that a client that neither goes on nor leaves does not hold memory for
 * good. A client whose machine or line is gone is noticed by the connection's keepalive; this is for one that is stuck.
 *
 * @param problem what did not happen, for the refusal
 * @throws Refusal CLIENT_STALLED
 */
export function inTime<Result>(next: Promise<Result>, seconds: number, problem: () => string): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(refuse('CLIENT_STALLED', { problem: problem(), seconds })), seconds * 1000);
    next.then(
      (result) => {
        clearTimeout(timer);
        resolve(result);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
