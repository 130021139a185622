import type { Model } from '../../native/binding.js';
import type { NetworkDefinition } from '../networks/definition.js';
import type { Settings } from '../parameters/settings.js';
import { classesDiffer, graphDiffers, inputSize, networkGraph } from './plan.js';

/** A change of the graph that has been made and can be undone. */
export interface Reconfiguration {
  /** Names of the layers that were initialised anew. */
  readonly reinitializedLayers: readonly string[];
  undo(): Promise<void>;
}

/** Brings the model from the settings `before` to those `after`; null where its graph stays as it is. */
export async function reconfigure(
  model: Model,
  network: NetworkDefinition,
  seed: bigint,
  before: Settings,
  after: Settings,
): Promise<Reconfiguration | null> {
  if (!graphDiffers(before, after)) return null;
  const tensors = await model.snapshot();
  const reinitialize = classesDiffer(before, after) ? [network.classLayer] : [];
  const reinitializedLayers = await model.reshape(networkGraph(network, after), inputSize(after), reinitialize, seed);
  return {
    reinitializedLayers,
    undo: async () => {
      await model.reshape(networkGraph(network, before), inputSize(before), [], seed);
      await model.restore(tensors);
    },
  };
}
