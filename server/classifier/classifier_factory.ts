import { randomBytes } from 'node:crypto';
import type { Binding, Engine, Model, Tensor } from '../../native/binding.js';
import { isEngineError } from '../../native/index.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { defaultSettings, type Settings } from '../parameters/settings.js';
import type { ClassifierRecord } from '../store/classifier_record.js';
import type { WantedWeights } from '../weights/fit.js';
import { Classifier, type ClassifierDevice } from './classifier.js';
import { inputSize, networkGraph } from './plan.js';
import { matchTensors } from './stored_tensors.js';

/** Makes classifiers on one device. */
export class ClassifierFactory {
  constructor(
    private readonly binding: Binding,
    private readonly engine: Engine,
    private readonly device: ClassifierDevice,
  ) {}

  /** A network with fresh weights from the seed. */
  async fresh(network: NetworkDefinition, seed: bigint): Promise<Classifier> {
    return this.#open({ network, settings: defaultSettings(network), step: 0, seed }, null);
  }

  /** What weights of another program must fit to be loaded with these settings. */
  async wantedWeights(network: NetworkDefinition, settings: Settings): Promise<WantedWeights> {
    const model = new this.binding.Model(this.engine, networkGraph(network, settings), inputSize(settings), 0n);
    const { tensors } = model;
    await model.close();
    return { network: network.name, tensors, classLayer: network.classLayer };
  }

  /**
   * A network with weights that another program trained. Layers of which there are none are fresh.
   *
   * @param weights by the names and in the shapes of the network
   */
  async pretrained(network: NetworkDefinition, settings: Settings, seed: bigint, weights: readonly Tensor[]): Promise<Classifier> {
    return this.#open({ network, settings, step: 0, seed }, () => weights);
  }

  /**
   * A classifier as it was stored.
   *
   * @param refusal makes what the call is refused with of what does not fit
   */
  async stored(record: ClassifierRecord, refusal: (problem: string) => Error): Promise<Classifier> {
    return this.#open(record, (model) => {
      const matched = matchTensors(model.tensors, record.tensors, record.settings.solverType);
      if (typeof matched === 'string') throw refusal(matched);
      return matched;
    }).catch((error: unknown) => {
      // Values that no step leaves: moments below 0, for instance.
      if (isEngineError(error) && error.reason === 'INVALID_ARGUMENT') throw refusal(error.message);
      throw error;
    });
  }

  async #open(record: Omit<ClassifierRecord, 'tensors'>, values: ((model: Model) => readonly Tensor[]) | null): Promise<Classifier> {
    const { network, settings, seed } = record;
    const model = new this.binding.Model(this.engine, networkGraph(network, settings), inputSize(settings), seed);
    try {
      await model.setSolver(settings.solverType);
      if (values !== null) await model.restore(values(model));
      return new Classifier(network, seed, model, this.device, record);
    } catch (error) {
      await model.close();
      throw error;
    }
  }
}

/** For a caller who names no seed. */
export function drawSeed(): bigint {
  return randomBytes(8).readBigUInt64LE();
}
