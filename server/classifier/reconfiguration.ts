import type { Model } from '../../native/binding.js';
import type { NetworkGraph } from '../../native/graph.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { classesDiffer, type Settings } from '../parameters/settings.js';
import type { MemoryGrant } from './memory_budget.js';
import { graphDiffers, inputSize, networkGraph, planDiffers, planOptions, sizeDiffers } from './plan.js';
import type { Residence } from './residence.js';

/**
 * A set must not ask for more memory than there is. One that asks for no more than before, or for other classes alone, may leave a
 * batch that is too large already, as another batch size may be set before the next step; one image must fit in any case.
 *
 * @param wholeBatch whether the batch must fit anyhow
 * @param initializeRuntime whether the plans will be allocated, too
 * @returns what the change will allocate; null where it allocates nothing
 * @throws Refusal DEVICE_MEMORY_EXHAUSTED
 */
export async function grantChange(
  residence: Residence,
  before: Settings,
  after: Settings,
  { wholeBatch, initializeRuntime }: { readonly wholeBatch: boolean; readonly initializeRuntime: boolean },
): Promise<MemoryGrant | null> {
  const differs = planDiffers(before, after);
  if (wholeBatch || (differs && (await residence.needsMore(after, before)))) {
    await residence.expectFit(after);
  } else if (differs || graphDiffers(before, after)) {
    await residence.expectFit({ ...after, batchSize: 1 });
  }
  return initializeRuntime || reshapes(before, after) ? residence.grantChange(after, initializeRuntime) : null;
}

/** Whether parameters or the solver's state are made anew. */
function reshapes(before: Settings, after: Settings): boolean {
  return graphDiffers(before, after) || before.solverType !== after.solverType;
}

/**
 * Brings the model from the settings `before` to those `after`: all of it or, where it rejects, nothing.
 *
 * @param initializeRuntime whether to allocate the plans, too
 * @returns the layers that were initialised anew
 */
export async function reconfigure(
  model: Model,
  network: NetworkDefinition,
  seed: bigint,
  before: Settings,
  after: Settings,
  initializeRuntime: boolean,
): Promise<readonly string[]> {
  const plan = initializeRuntime ? planOptions(after) : null;
  if (!reshapes(before, after)) {
    if (plan !== null) await model.prepare(plan);
    return [];
  }
  const graph = networkGraph(network, after);
  const reinitialize = toReinitialize(network, graph, before, after);
  return model.reshape(graph, inputSize(after), { reinitialize, seed, solver: after.solverType, plan });
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
