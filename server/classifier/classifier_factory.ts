import { randomBytes } from 'node:crypto';
import type { Model, Tensor } from '../../native/binding.js';
import { isEngineError } from '../../native/index.js';
import type { Device } from '../devices/device.js';
import type { Devices } from '../devices/devices.js';
import { refuse } from '../errors/refusal.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { defaultSettings, type Settings } from '../parameters/settings.js';
import type { ClassifierRecord } from '../store/classifier_record.js';
import type { WantedWeights } from '../weights/fit.js';
import { Classifier } from './classifier.js';
import { engineRefusal } from './engine_refusal.js';
import type { MemoryGrant } from './memory_budget.js';
import { inputSize, networkGraph } from './plan.js';
import { matchTensors } from './stored_tensors.js';

/** Makes classifiers. */
export class ClassifierFactory {
  constructor(private readonly devices: Devices) {}

  /** A network with fresh weights from the seed. */
  async fresh(network: NetworkDefinition, seed: bigint, device: Device): Promise<Classifier> {
    return this.#open(device, { network, settings: defaultsOn(device, network), step: 0, seed }, null);
  }

  /** @throws Refusal DEVICE_MEMORY_EXHAUSTED where not even one image of the settings' size could be trained with */
  async expectOneImageFits(network: NetworkDefinition, settings: Settings): Promise<void> {
    const { memory, estimator } = this.devices.cpu;
    await memory.expectFit(null, estimator.cost(network, settings), 1);
  }

  /** What weights of another program must fit to be loaded with these settings. */
  async wantedWeights(network: NetworkDefinition, settings: Settings): Promise<WantedWeights> {
    const model = this.devices.cpu.makeModel(networkGraph(network, settings), inputSize(settings), 0n);
    const { tensors } = model;
    await model.close();
    return { network: network.name, tensors, classLayer: network.classLayer };
  }

  /**
   * A network with weights that another program trained. Layers of which there are none are fresh.
   *
   * @param settings of the device
   * @param weights by the names and in the shapes of the network
   */
  async pretrained(
    network: NetworkDefinition,
    settings: Settings,
    seed: bigint,
    weights: readonly Tensor[],
    device: Device,
  ): Promise<Classifier> {
    return this.#open(device, { network, settings, step: 0, seed }, () => weights);
  }

  /**
   * A classifier as it was stored, on a device of any kind.
   *
   * @param refusal makes what the call is refused with of what does not fit
   */
  async stored(record: ClassifierRecord, device: Device, refusal: (problem: string) => Error): Promise<Classifier> {
    const placed = { ...record, settings: { ...record.settings, ...placeOf(device) } };
    return this.#open(device, placed, (model) => {
      const matched = matchTensors(model.tensors, record.tensors, record.settings.solverType);
      if (typeof matched === 'string') throw refusal(matched);
      return matched;
    }).catch((error: unknown) => {
      // Values that no step leaves: moments below 0, for instance.
      if (isEngineError(error) && error.reason === 'INVALID_ARGUMENT') throw refusal(error.message);
      throw error;
    });
  }

  async #open(
    device: Device,
    record: Omit<ClassifierRecord, 'tensors'>,
    values: ((model: Model) => readonly Tensor[]) | null,
  ): Promise<Classifier> {
    const { network, settings } = record;
    const grant = await grantParameters(device, network, settings);
    try {
      return await this.#make(device, record, values);
    } finally {
      grant.release();
    }
  }

  async #make(
    device: Device,
    record: Omit<ClassifierRecord, 'tensors'>,
    values: ((model: Model) => readonly Tensor[]) | null,
  ): Promise<Classifier> {
    const { network, settings, seed } = record;
    const model = device.makeModel(networkGraph(network, settings), inputSize(settings), seed);
    try {
      await device.compute(() => model.setSolver(settings.solverType));
      if (values !== null) await device.compute(() => model.restore(values(model)));
      return new Classifier(network, seed, { device, model }, this.devices, record);
    } catch (error) {
      await model.close();
      const cost = device.estimator.cost(network, settings);
      throw await engineRefusal(error, (missing) => device.memory.refusal(null, cost, settings.batchSize, missing));
    }
  }
}

/**
 * Keeps room for the weights and the solver's state, before there is a model to hold them.
 *
 * @throws Refusal DEVICE_MEMORY_EXHAUSTED
 */
async function grantParameters(device: Device, network: NetworkDefinition, settings: Settings): Promise<MemoryGrant> {
  const raise = device.runtime === 'cpu' ? ', or start the server with a larger --max-memory-bytes' : '';
  const remedy = `clear other classifiers${raise}`;
  const refusal = (bytes: number) => refuse('DEVICE_MEMORY_EXHAUSTED', { largest_batch_size: 0, bytes, remedy });
  try {
    const { parameterBytes } = await device.estimator.plan(network, { ...settings, batchSize: 1 });
    const grant = device.memory.grant(null, parameterBytes);
    if (grant === null) throw refusal(parameterBytes);
    return grant;
  } catch (error) {
    throw await engineRefusal(error, async ({ bytes }) => refusal(bytes));
  }
}

/** What a network starts with on this device. */
export function defaultsOn(device: Device, network: NetworkDefinition): Settings {
  return { ...defaultSettings(network), ...placeOf(device), precision: device.defaultPrecision };
}

function placeOf({ runtime, index }: Device): Pick<Settings, 'runtime' | 'gpu'> {
  return { runtime, gpu: index };
}

/** For a caller who names no seed. */
export function drawSeed(): bigint {
  return randomBytes(8).readBigUInt64LE();
}
