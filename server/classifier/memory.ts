import type { MemoryPlan, Model, PlanOptions } from '../../native/binding.js';
import { refuse } from '../errors/refusal.js';

/** Bytes that a classifier holds that is trained and applied in turns, as it is where training is watched. */
export function neededBytes({ parameterBytes, trainingBytes, inferenceBytes }: MemoryPlan): number {
  return parameterBytes + trainingBytes + inferenceBytes;
}

/** What the classifiers of a device may hold together. */
export class MemoryBudget {
  readonly #models = new Set<Model>();

  /** @param bytes of all models together */
  constructor(readonly bytes: number) {}

  add(model: Model): void {
    this.#models.add(model);
  }

  remove(model: Model): void {
    this.#models.delete(model);
  }

  /** Bytes that are left for this model, those that it holds already included. */
  availableFor(model: Model): number {
    let held = 0;
    for (const other of this.#models) {
      if (other !== model) held += other.memoryBytes;
    }
    return Math.max(0, this.bytes - held);
  }

  /**
   * @param imageBytes of one image of float32, a lower bound of what it costs
   * @returns bytes needed
   * @throws Refusal DEVICE_MEMORY_EXHAUSTED with the largest batch size that fits
   */
  async expectFit(model: Model, options: PlanOptions, imageBytes: number): Promise<number> {
    const available = this.availableFor(model);
    // A plan far beyond the memory is not worth making, and its sizes could overflow.
    const atLeast = options.batchSize * imageBytes;
    const needed = atLeast > available ? atLeast : neededBytes(await model.planMemory(options));
    if (needed <= available) return needed;
    throw await this.refusal(model, options, needed);
  }

  /** The refusal of options that do not fit. */
  async refusal(model: Model, options: PlanOptions, bytes: number): Promise<Error> {
    const largest = await largestBatchSize(model, options, this.availableFor(model));
    return refuse('DEVICE_MEMORY_EXHAUSTED', { largest_batch_size: largest, bytes });
  }
}

/** The largest batch size below that of `options` which fits; 0 where not even 1 does. Memory grows with the batch size. */
export async function largestBatchSize(model: Model, options: PlanOptions, available: number): Promise<number> {
  const fits = async (batchSize: number) => neededBytes(await model.planMemory({ ...options, batchSize })) <= available;
  let fitting = 0;
  let failing = 1;
  while (failing < options.batchSize && (await fits(failing))) {
    fitting = failing;
    failing = Math.min(failing * 2, options.batchSize);
  }
  while (failing - fitting > 1) {
    const middle = Math.floor((fitting + failing) / 2);
    if (await fits(middle)) fitting = middle;
    else failing = middle;
  }
  return fitting;
}
