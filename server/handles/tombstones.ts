/** How many cleared handles are remembered: some megabytes. */
const CAPACITY = 65_536;

/** The handles that were cleared, with their kinds; the oldest are forgotten. */
export class Tombstones<Kind extends string> {
  readonly #kinds = new Map<string, Kind>();

  constructor(private readonly capacity: number = CAPACITY) {}

  add(handle: string, kind: Kind): void {
    this.#kinds.set(handle, kind);
    if (this.#kinds.size <= this.capacity) return;
    const [oldest] = this.#kinds.keys();
    if (oldest !== undefined) this.#kinds.delete(oldest);
  }

  get(handle: string): Kind | undefined {
    return this.#kinds.get(handle);
  }
}
