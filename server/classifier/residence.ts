import type { MemoryPlan, Model } from '../../native/binding.js';
import type { Device } from '../devices/device.js';
import type { NetworkDefinition } from '../networks/definition.js';
import type { Settings } from '../parameters/settings.js';
import { engineRefusal } from './engine_refusal.js';
import { graphDiffers, planDiffers } from './plan.js';

/** A device, and the model on it that holds the weights of a classifier. The device's budget counts it until {@link leave}. */
export class Residence {
  /** The settings that were looked at last, and the bytes that they need. */
  #known: { readonly settings: Settings; readonly bytes: number } | null = null;

  constructor(
    readonly network: NetworkDefinition,
    readonly device: Device,
    readonly model: Model,
  ) {
    device.memory.add(model);
  }

  /**
   * Lets the engine compute.
   *
   * @param settings that a refusal's largest batch size is for
   * @throws what the engine refuses as a Refusal, DEVICE_LOST among them; of what only a defect can cause, the engine's error
   */
  async compute<Result>(settings: Settings, task: (model: Model) => Promise<Result>): Promise<Result> {
    const { device, model } = this;
    try {
      return await device.compute(() => task(model));
    } catch (error) {
      throw await engineRefusal(error, (missing) => device.memory.refusal(model, this.#cost(settings), settings.batchSize, missing));
    }
  }

  /** Bytes that the budget of a device leaves for the classifier, those that it holds there already included. */
  availableBytes(device: Device): number {
    return device.memory.availableFor(device === this.device ? this.model : null);
  }

  /** Bytes that training and applying need. */
  planMemory(settings: Settings): Promise<MemoryPlan> {
    return this.compute(settings, () => this.device.estimator.plan(this.network, settings));
  }

  /** Whether the first of these settings need more bytes than the second. */
  async needsMore(next: Settings, present: Settings): Promise<boolean> {
    const bytes = (settings: Settings) => this.compute(settings, () => this.#cost(settings).bytes(settings.batchSize));
    return (await bytes(next)) > (await bytes(present));
  }

  /** @throws Refusal DEVICE_MEMORY_EXHAUSTED with the largest batch size that fits */
  async expectFit(settings: Settings): Promise<void> {
    const { memory } = this.device;
    const known = this.#known !== null && needSame(this.#known.settings, settings) ? this.#known.bytes : null;
    if (known !== null && known <= memory.availableFor(this.model)) return;
    const bytes = await this.compute(settings, () => memory.expectFit(this.model, this.#cost(settings), settings.batchSize));
    this.#known = { settings, bytes };
  }

  /** Frees the memory. */
  async leave(): Promise<void> {
    await this.device.watch(this.model.close());
    this.device.memory.remove(this.model);
  }

  #cost(settings: Settings) {
    return this.device.estimator.cost(this.network, settings);
  }
}

function needSame(a: Settings, b: Settings): boolean {
  return a === b || !(planDiffers(a, b) || graphDiffers(a, b));
}
