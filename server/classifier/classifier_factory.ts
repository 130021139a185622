import { randomBytes } from 'node:crypto';
import type { Binding, Engine, Model } from '../../native/binding.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { defaultSettings } from '../parameters/settings.js';
import type { ClassifierRecord, StoredTensor } from '../store/classifier_record.js';
import { Classifier, type ClassifierDevice } from './classifier.js';
import { inputSize, networkGraph } from './plan.js';
import { type Completeness, matchTensors } from './stored_tensors.js';

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

  /**
   * A network with weights that another program trained.
   *
   * @param refusal makes what the call is refused with of what does not fit
   */
  async pretrained(
    network: NetworkDefinition,
    seed: bigint,
    tensors: readonly StoredTensor[],
    refusal: ProblemRefusal,
  ): Promise<Classifier> {
    const record = { network, settings: defaultSettings(network), step: 0, seed };
    return this.#open(record, { tensors, completeness: 'weights', refusal });
  }

  /** A classifier as it was stored. */
  async stored(record: ClassifierRecord, refusal: ProblemRefusal): Promise<Classifier> {
    return this.#open(record, { tensors: record.tensors, completeness: 'complete', refusal });
  }

  async #open(record: Omit<ClassifierRecord, 'tensors'>, values: Values | null): Promise<Classifier> {
    const { network, settings, seed } = record;
    const model = new this.binding.Model(this.engine, networkGraph(network, settings), inputSize(settings), seed);
    try {
      if (values !== null) await restore(model, values);
      return new Classifier(network, seed, model, this.device, record);
    } catch (error) {
      await model.close();
      throw error;
    }
  }
}

type ProblemRefusal = (problem: string) => Error;

interface Values {
  readonly tensors: readonly StoredTensor[];
  readonly completeness: Completeness;
  readonly refusal: ProblemRefusal;
}

async function restore(model: Model, { tensors, completeness, refusal }: Values): Promise<void> {
  const matched = matchTensors(model.tensors, tensors, completeness);
  if (typeof matched === 'string') throw refusal(matched);
  await model.restore(matched);
}

/** For a caller who names no seed. */
export function drawSeed(): bigint {
  return randomBytes(8).readBigUInt64LE();
}
