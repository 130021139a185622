/** How many cleared handles are remembered at least; twice as many take some megabytes. */
const CAPACITY = 32_768;

/**
 * The handles that were cleared last, with their kinds: at least `capacity` of them, at most twice as many.
 *
 * They are forgotten a generation at a time. To take the oldest out of one large map would cost time in proportion to the map: what was
 * deleted at its front is passed over again whenever the first entry is looked for.
 */
export class Tombstones<Kind extends string> {
  #recent = new Map<string, Kind>();
  #older: ReadonlyMap<string, Kind> = new Map();

  constructor(private readonly capacity: number = CAPACITY) {}

  add(handle: string, kind: Kind): void {
    if (this.#recent.size === this.capacity) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(handle, kind);
  }

  get(handle: string): Kind | undefined {
    return this.#recent.get(handle) ?? this.#older.get(handle);
  }
}
