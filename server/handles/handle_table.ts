import { refuse } from '../errors/refusal.js';
import { randomHandle } from './random_handle.js';
import { Tombstones } from './tombstones.js';

/** What an open handle stands for; the handle itself is its holder's. */
export interface OpenEntry<Value> {
  readonly value: Value;
  readonly created: Date;
  readonly lastUsed: Date;
}

interface Entry<Kinds, Kind extends keyof Kinds = keyof Kinds> {
  readonly kind: Kind;
  readonly value: Kinds[Kind];
  readonly created: Date;
  lastUsed: Date;
}

/** What is peculiar to a kind of handle. */
export interface KindRules<Value> {
  /** All values of this kind together, in the unit of `size`; beyond it those least recently used expire. Null: no limit. */
  readonly capacity: number | null;
  size(value: Value): number;
  /** A value in use does not expire. */
  isBusy(value: Value): boolean;
  onExpired(value: Value): void;
}

/**
 * The open handles: opaque random strings, each of one kind. Who holds a handle may use it, nobody else can; the string does not show
 * its kind. Cleared handles are remembered for a while, so that their use gets a better answer than that of a string never given out.
 */
export class HandleTable<Kinds extends object> {
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry<Kinds>>();
  readonly #sizes = new Map<keyof Kinds, number>();
  readonly #cleared = new Tombstones<keyof Kinds & string>();

  constructor(
    private readonly rules: { readonly [Kind in keyof Kinds]: KindRules<Kinds[Kind]> },
    private readonly idleMilliseconds: number,
    private readonly now: () => number = Date.now,
  ) {}

  /** Gives out a new handle. */
  add<Kind extends keyof Kinds & string>(kind: Kind, value: Kinds[Kind]): string {
    const handle = randomHandle();
    const now = new Date(this.now());
    this.#entries.set(handle, { kind, value, created: now, lastUsed: now });
    this.#grow(kind, this.rules[kind].size(value));
    this.#makeRoom(kind, handle);
    return handle;
  }

  /**
   * What the handle stands for; it counts as used now.
   *
   * @throws Refusal UNKNOWN_HANDLE, HANDLE_CLEARED, WRONG_HANDLE_KIND
   */
  get<Kind extends keyof Kinds & string>(kind: Kind, handle: string): Kinds[Kind] {
    const entry = this.#find(kind, handle);
    this.touch(handle);
    return entry.value;
  }

  /** The handle counts as used now, if it is still open: for the end of a long call. */
  touch(handle: string): void {
    const entry = this.#entries.get(handle);
    if (entry === undefined) return;
    entry.lastUsed = new Date(this.now());
    this.#entries.delete(handle);
    this.#entries.set(handle, entry);
  }

  /**
   * Clears handles of one kind, all or none; one that is named twice is cleared once.
   *
   * @returns what they stood for
   * @throws Refusal as {@link get}
   */
  clear<Kind extends keyof Kinds & string>(kind: Kind, handles: readonly string[]): Kinds[Kind][] {
    const entries = new Map(handles.map((handle) => [handle, this.#find(kind, handle)]));
    for (const [handle, entry] of entries) this.#remove(handle, entry);
    return [...entries.values()].map((entry) => entry.value);
  }

  /** Open handles of one kind, oldest first. */
  open<Kind extends keyof Kinds & string>(kind: Kind): OpenEntry<Kinds[Kind]>[] {
    return [...this.#entries.values()]
      .filter((entry): entry is Entry<Kinds, Kind> => entry.kind === kind)
      .sort((a, b) => a.created.getTime() - b.created.getTime());
  }

  /** Clears what has not been used for too long. */
  expire(): void {
    for (const [handle, entry] of this.#entries) {
      if (!this.#isOld(entry)) return;
      if (!this.#isBusy(entry)) this.#expireEntry(handle, entry);
    }
  }

  #find<Kind extends keyof Kinds & string>(kind: Kind, handle: string): Entry<Kinds, Kind> {
    const entry = this.#entries.get(handle);
    if (entry !== undefined && this.#isOld(entry) && !this.#isBusy(entry)) this.#expireEntry(handle, entry);
    else if (entry !== undefined) return expectKind(kind, entry);
    const clearedKind = this.#cleared.get(handle);
    if (clearedKind === undefined) throw refuse('UNKNOWN_HANDLE', { handle_kind: kind });
    if (clearedKind !== kind) throw refuse('WRONG_HANDLE_KIND', { handle_kind: clearedKind, wanted_kind: kind });
    throw refuse('HANDLE_CLEARED', { handle_kind: kind });
  }

  #isOld(entry: Entry<Kinds>): boolean {
    return this.now() - entry.lastUsed.getTime() >= this.idleMilliseconds;
  }

  #isBusy(entry: Entry<Kinds>): boolean {
    return this.rules[entry.kind].isBusy(entry.value);
  }

  /** Expires others of this kind until it is within its capacity. */
  #makeRoom(kind: keyof Kinds, newest: string): void {
    const { capacity } = this.rules[kind];
    const fits = () => capacity === null || (this.#sizes.get(kind) ?? 0) <= capacity;
    if (fits()) return;
    for (const [handle, entry] of this.#entries) {
      if (fits()) return;
      if (entry.kind === kind && handle !== newest && !this.#isBusy(entry)) this.#expireEntry(handle, entry);
    }
  }

  #expireEntry(handle: string, entry: Entry<Kinds>): void {
    this.#remove(handle, entry);
    this.rules[entry.kind].onExpired(entry.value);
  }

  #remove(handle: string, entry: Entry<Kinds>): void {
    this.#entries.delete(handle);
    this.#grow(entry.kind, -this.rules[entry.kind].size(entry.value));
    this.#cleared.add(handle, entry.kind as keyof Kinds & string);
  }

  #grow(kind: keyof Kinds, size: number): void {
    this.#sizes.set(kind, (this.#sizes.get(kind) ?? 0) + size);
  }
}

function expectKind<Kinds, Kind extends keyof Kinds & string>(kind: Kind, entry: Entry<Kinds>): Entry<Kinds, Kind> {
  if (entry.kind !== kind) throw refuse('WRONG_HANDLE_KIND', { handle_kind: String(entry.kind), wanted_kind: kind });
  return entry as Entry<Kinds, Kind>;
}
