/** Answers that a classifier remembers. */
const CAPACITY = 1024;

/**
 * The answers to the last calls that had a `request_id`, so that a call repeated after a lost answer does not train twice. A call that
 * fails changed nothing and is forgotten: its repetition is a new attempt.
 */
export class RequestCache<Response> {
  readonly #responses = new Map<string, Promise<Response>>();

  constructor(private readonly capacity: number = CAPACITY) {}

  /** The answer of a call that has been made or is being made; undefined where there is none. */
  find(requestId: string): Promise<Response> | undefined {
    return this.#responses.get(requestId);
  }

  /** The remembered answer, else that of `work`. An empty id names nothing and is not remembered. */
  run(requestId: string, work: () => Promise<Response>): Promise<Response> {
    const known = this.#responses.get(requestId);
    if (known !== undefined) return known;
    const response = work();
    if (requestId !== '') this.#remember(requestId, response);
    return response;
  }

  #remember(requestId: string, response: Promise<Response>): void {
    this.#responses.set(requestId, response);
    response.catch(() => this.#responses.delete(requestId));
    if (this.#responses.size <= this.capacity) return;
    const [oldest] = this.#responses.keys();
    if (oldest !== undefined) this.#responses.delete(oldest);
  }
}
