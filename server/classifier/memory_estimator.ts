import type { Engine, MemoryPlan } from '../../native/binding.js';
import { isEngineError } from '../../native/index.js';
import type { NetworkDefinition } from '../networks/definition.js';
import type { Settings } from '../parameters/settings.js';
import type { BatchCost } from './largest_batch_size.js';
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
