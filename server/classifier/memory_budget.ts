import type { Model } from '../../native/binding.js';
import { refuse } from '../errors/refusal.js';
import type { MissingMemory } from './engine_refusal.js';
import { type BatchCost, largestBatchSize } from './largest_batch_size.js';

/** Bytes that a model may come to: they count as held, whether or not they are allocated yet, until they are released. */
export class MemoryGrant {
  /** That allocates them; null as long as it is not made. Its own bytes are among these. */
  model: Model | null;

  constructor(
    model: Model | null,
    readonly bytes: number,
    private readonly onRelease: (grant: MemoryGrant) => void,
  ) {
    this.model = model;
  }

  /** From now on what the model holds counts alone. Repeated calls are allowed. */
  release(): void {
    this.onRelease(this);
  }
}

/** What the classifiers of a device may hold together: what they hold now or, where that is more, what they were granted. */
export class MemoryBudget {
  readonly #models = new Set<Model>();
  readonly #grants = new Set<MemoryGrant>();

  /** @param bytes of all models together */
  constructor(readonly bytes: number) {}

  add(model: Model): void {
    this.#models.add(model);
  }

  remove(model: Model): void {
    this.#models.delete(model);
  }

  /** Bytes that are left for this model, those that it holds already included; null stands for one that is not made yet. */
  availableFor(model: Model | null): number {
    const held = new Map<Model | MemoryGrant, number>();
    for (const other of this.#models) held.set(other, other.memoryBytes);
    for (const grant of this.#grants) {
      const holder = grant.model ?? grant;
      held.set(holder, Math.max(grant.bytes, held.get(holder) ?? 0));
    }
    if (model !== null) held.delete(model);
    return Math.max(
      0,
      [...held.values()].reduce((rest, bytes) => rest - bytes, this.bytes),
    );
  }

  /**
   * Grants bytes at once, so that of two that ask at the same time the second finds what the first leaves.
   *
   * @param needed bytes that must be left for it
   * @param granted of them @default all
   * @returns null where they are not left
   */
  grant(model: Model | null, needed: number, granted = needed): MemoryGrant | null {
    if (needed > this.availableFor(model)) return null;
    const grant = new MemoryGrant(model, granted, (released) => this.#grants.delete(released));
    this.#grants.add(grant);
    return grant;
  }

  /**
   * A look, which grants nothing.
   *
   * @returns bytes needed
   * @throws Refusal DEVICE_MEMORY_EXHAUSTED with the largest batch size that fits
   */
  async expectFit(model: Model | null, cost: BatchCost, batchSize: number): Promise<number> {
    // A plan far beyond the memory is not worth making, and its sizes could overflow.
    const atLeast = batchSize * cost.imageBytes;
    const needed = atLeast > this.availableFor(model) ? atLeast : await cost.bytes(batchSize);
    if (needed <= this.availableFor(model)) return needed;
    const bytes = Number.isFinite(needed) ? needed : atLeast;
    throw await this.refusal(model, cost, batchSize, { bytes, freeBytes: Number.POSITIVE_INFINITY });
  }

  /** The refusal of a batch size that does not fit: into the budget, or beside what others than classifiers hold of the device. */
  async refusal(model: Model | null, cost: BatchCost, batchSize: number, { bytes, freeBytes }: MissingMemory): Promise<Error> {
    const available = Math.min(this.availableFor(model), (model?.memoryBytes ?? 0) + freeBytes);
    const largest = await largestBatchSize(cost, available, batchSize - 1);
    return refuse('DEVICE_MEMORY_EXHAUSTED', { largest_batch_size: largest, bytes });
  }
}
