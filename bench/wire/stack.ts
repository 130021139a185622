/** Things to be disposed of together, the last one first. */
export class Stack implements AsyncDisposable {
  readonly #things: AsyncDisposable[] = [];

  use<Thing extends AsyncDisposable>(thing: Thing): Thing {
    this.#things.push(thing);
    return thing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const thing of this.#things.reverse()) await thing[Symbol.asyncDispose]();
  }
}
