import type { Engine, MemoryPlan, Model } from '../../native/binding.js';
import { isEngineError } from '../../native/index.js';
import { refuse } from '../errors/refusal.js';
import type { NetworkDefinition } from '../networks/definition.js';
import type { Settings } from '../parameters/settings.js';
import type { MissingMemory } from './engine_refusal.js';
import { type BatchCost, largestBatchSize } from './largest_batch_size.js';
import { classCount, imageBytes, inputSize, networkGraph, planOptions } from './plan.js';

/** Bytes that a classifier holds that is trained and applied in turns, as it is where training is watched. */
export function neededBytes({ parameterBytes, trainingBytes, inferenceBytes }: MemoryPlan): number {
  return parameterBytes + trainingBytes + inferenceBytes;
}

/** The most images that the engine plans for. */
export const LARGEST_PLANNED_BATCH = 2 ** 24;

/** What a network with these settings needs, without making it. */
export class MemoryEstimator {
  constructor(private readonly engine: Pick<Engine, 'planMemory'>) {}

  plan(network: NetworkDefinition, settings: Settings, classes = classCount(network, settings)): Promise<MemoryPlan> {
    const graph = networkGraph(network, settings, classes);
    return this.engine.planMemory(graph, inputSize(settings), planOptions(settings), settings.solverType);
  }

  /** @param needed bytes of a plan that count @default all: training and applying in turns */
  cost(network: NetworkDefinition, settings: Settings, needed = neededBytes, classes = classCount(network, settings)): BatchCost {
    const bytes = async (batchSize: number) => {
      if (batchSize > LARGEST_PLANNED_BATCH) return Number.POSITIVE_INFINITY;
      try {
        return needed(await this.plan(network, { ...settings, batchSize }, classes));
      } catch (error) {
        if (isEngineError(error) && error.reason === 'OUT_OF_MEMORY') return Number.POSITIVE_INFINITY;
        throw error;
      }
    };
    return { imageBytes: imageBytes(settings), bytes };
  }
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

  /** Bytes that are left for this model, those that it holds already included; null stands for one that is not made yet. */
  availableFor(model: Model | null): number {
    let held = 0;
    for (const other of this.#models) {
      if (other !== model) held += other.memoryBytes;
    }
    return Math.max(0, this.bytes - held);
  }

  /**
   * @returns bytes needed
   * @throws Refusal DEVICE_MEMORY_EXHAUSTED with the largest batch size that fits
   */
  async expectFit(model: Model | null, cost: BatchCost, batchSize: number): Promise<number> {
    const available = this.availableFor(model);
    // A plan far beyond the memory is not worth making, and its sizes could overflow.
    const atLeast = batchSize * cost.imageBytes;
    const needed = atLeast > available ? atLeast : await cost.bytes(batchSize);
    if (needed <= available) return needed;
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
