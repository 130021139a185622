import type { Model } from '../../native/binding.js';
import type { NetworkGraph } from '../../native/graph.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { classesDiffer, type Settings } from '../parameters/settings.js';
import { graphDiffers, inputSize, networkGraph, planDiffers, sizeDiffers } from './plan.js';
import type { Residence } from './residence.js';

/** A change of the graph or of the solver that has been made and can be undone. */
export interface Reconfiguration {
  /** Names of the layers that were initialised anew. */
  readonly reinitializedLayers: readonly string[];
  undo(): Promise<void>;
}

/**
 * A set must not ask for more memory than there is. One that asks for no more than before, or for other classes alone, may leave a
 * batch that is too large already, as another batch size may be set before the next step; one image must fit in any case.
 *
 * @param wholeBatch whether the batch must fit anyhow
 * @throws Refusal DEVICE_MEMORY_EXHAUSTED
 */
export async function expectChangeFits(residence: Residence, before: Settings, after: Settings, wholeBatch: boolean): Promise<void> {
  const differs = planDiffers(before, after);
  if (wholeBatch || (differs && (await residence.needsMore(after, before)))) {
    await residence.expectFit(after);
  } else if (differs || graphDiffers(before, after)) {
    await residence.expectFit({ ...after, batchSize: 1 });
  }
}

/** Brings the model from the settings `before` to those `after`; null where its graph and its solver stay as they are. */
export async function reconfigure(
  model: Model,
  network: NetworkDefinition,
  seed: bigint,
  before: Settings,
  after: Settings,
): Promise<Reconfiguration | null> {
  const changesGraph = graphDiffers(before, after);
  if (!changesGraph && before.solverType === after.solverType) return null;
  const tensors = await model.snapshot();
  const graph = networkGraph(network, after);
  const reinitializedLayers = changesGraph
    ? await model.reshape(graph, inputSize(after), toReinitialize(network, graph, before, after), seed)
    : [];
  const undo = async () => {
    await model.setSolver(before.solverType);
    if (changesGraph) await model.reshape(networkGraph(network, before), inputSize(before), [], seed);
    await model.restore(tensors);
  };
  try {
    await model.setSolver(after.solverType);
  } catch (error) {
    await undo();
    throw error;
  }
  return { reinitializedLayers, undo };
}

/** The layers that begin anew by the rules of the network, even where their tensors keep their shapes. */
function toReinitialize(network: NetworkDefinition, graph: NetworkGraph, before: Settings, after: Settings): string[] {
  const names = new Set(classesDiffer(before, after) ? [network.classLayer] : []);
  if (sizeDiffers(before, after) && !network.resizeKeepsWeights) {
    for (const { kind, name } of graph.layers) {
      if (kind === 'fully_connected') names.add(name);
    }
  }
  return [...names];
}
