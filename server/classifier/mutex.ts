/** Lets one task at a time run, in the order in which they came. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();
  #count = 0;

  /** Whether a task runs or waits. */
  get locked(): boolean {
    return this.#count > 0;
  }

  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#count++;
    const result = this.#last.then(task);
    // The next task waits for the end of this one, however it ends; what this one throws is its caller's.
    this.#last = result.then(
      () => {},
      () => {},
    );
    try {
      return await result;
    } finally {
      this.#count--;
    }
  }
}
