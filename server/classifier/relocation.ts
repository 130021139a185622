import type { Model, Tensor } from '../../native/binding.js';
import type { Device } from '../devices/device.js';
import type { NetworkDefinition } from '../networks/definition.js';
import type { Settings } from '../parameters/settings.js';
import type { Life } from './life.js';
import type { MemoryGrant } from './memory_budget.js';
import { neededBytes } from './memory_estimator.js';
import { inputSize, networkGraph } from './plan.js';
import { reconfigure } from './reconfiguration.js';
import { Residence } from './residence.js';

/** Where a classifier is to be, and what it is to be there. */
export interface Relocation {
  readonly device: Device;
  readonly seed: bigint;
  readonly before: Settings;
  readonly after: Settings;
  /** Whether to allocate the plans, too. */
  readonly initializeRuntime: boolean;
}

/**
 * Makes a model of the same values on another device and changes that. What fails leaves nothing there, and the present model as it is.
 *
 * @param life of the classifier: what goes wrong on the other device does not end it
 * @returns the new place, and the layers that were initialised anew
 * @throws Refusal DEVICE_MEMORY_EXHAUSTED, DEVICE_LOST
 */
export async function relocate(
  present: Residence,
  life: Life,
  relocation: Relocation,
): Promise<{ readonly residence: Residence; readonly reinitializedLayers: readonly string[] }> {
  const { network } = present;
  const { device, seed, before, after } = relocation;
  const grant = await life.during(() => present.compute(after, () => grantMove(network, relocation)));
  try {
    const tensors = await life.during(() => present.compute(before, (model) => model.snapshot()));
    const residence = new Residence(network, device, device.makeModel(networkGraph(network, before), inputSize(before), seed));
    grant.model = residence.model;
    try {
      const reinitializedLayers = await residence.compute(after, (model) => settle(residence, model, tensors, relocation));
      return { residence, reinitializedLayers };
    } catch (error) {
      await residence.leave();
      throw error;
    }
  } finally {
    grant.release();
  }
}

/** All that the settings need must be left on the other device; granted is what the move will allocate of it. */
async function grantMove(network: NetworkDefinition, { device, after, initializeRuntime }: Relocation): Promise<MemoryGrant> {
  const { memory, estimator } = device;
  const cost = estimator.cost(network, after);
  await memory.expectFit(null, cost, after.batchSize);
  const plan = await estimator.plan(network, after);
  const needed = neededBytes(plan);
  const grant = memory.grant(null, needed, initializeRuntime ? needed : plan.parameterBytes);
  if (grant !== null) return grant;
  throw await memory.refusal(null, cost, after.batchSize, { bytes: needed, freeBytes: Number.POSITIVE_INFINITY });
}

async function settle(
  { network }: Residence,
  model: Model,
  tensors: readonly Tensor[],
  { seed, before, after, initializeRuntime }: Relocation,
): Promise<readonly string[]> {
  await model.setSolver(before.solverType);
  await model.restore(tensors);
  return reconfigure(model, network, seed, before, after, initializeRuntime);
}
