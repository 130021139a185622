import type { MemoryPlan, Model } from '../../native/binding.js';
import type { Device } from '../devices/device.js';
import type { NetworkDefinition } from '../networks/definition.js';
import type { Settings } from '../parameters/settings.js';
import { engineRefusal } from './engine_refusal.js';
import type { MemoryGrant } from './memory_budget.js';
import { neededBytes } from './memory_estimator.js';
import { graphDiffers, planDiffers } from './plan.js';

/** What the engine makes a plan for, which takes memory of its own from the first time on. */
export type Work = 'training' | 'applying';

/** A device, and the model on it that holds the weights of a classifier. The device's budget counts it until {@link leave}. */
export class Residence {
  /** The settings that were looked at last, and what they need. */
  #known: { readonly settings: Settings; readonly plan: MemoryPlan } | null = null;
  /** The settings whose plans are allocated. */
  readonly #allocated = new Map<Work, Settings>();

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

  /** The same for training or applying, whose memory {@link grantWork} has granted. */
  async work<Result>(work: Work, settings: Settings, task: (model: Model) => Promise<Result>): Promise<Result> {
    const result = await this.compute(settings, task);
    this.#allocated.set(work, settings);
    return result;
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

  /**
   * A look, which grants nothing.
   *
   * @returns what the settings need
   * @throws Refusal DEVICE_MEMORY_EXHAUSTED with the largest batch size that fits
   */
  async expectFit(settings: Settings): Promise<MemoryPlan> {
    const { memory } = this.device;
    const known = this.#known !== null && needSame(this.#known.settings, settings) ? this.#known.plan : null;
    if (known !== null && neededBytes(known) <= memory.availableFor(this.model)) return known;
    await this.compute(settings, () => memory.expectFit(this.model, this.#cost(settings), settings.batchSize));
    const plan = known ?? (await this.planMemory(settings));
    this.#known = { settings, plan };
    return plan;
  }

  /**
   * What the settings need must be left, for training and applying in turns; granted is what this work will allocate of it.
   *
   * @throws Refusal DEVICE_MEMORY_EXHAUSTED with the largest batch size that fits
   */
  async grantWork(work: Work, settings: Settings): Promise<MemoryGrant> {
    const plan = await this.expectFit(settings);
    const present = this.#allocated.get(work);
    const allocated = present !== undefined && needSame(present, settings);
    const growth = work === 'training' ? plan.trainingBytes : plan.inferenceBytes;
    const needed = neededBytes(plan);
    return this.#grant(settings, needed, allocated ? 0 : Math.min(needed, this.model.memoryBytes + growth));
  }

  /**
   * For a change to these settings.
   *
   * @param plansToo whether their plans will be allocated with it
   * @throws Refusal DEVICE_MEMORY_EXHAUSTED with the largest batch size that fits
   */
  async grantChange(settings: Settings, plansToo: boolean): Promise<MemoryGrant> {
    const plan = plansToo ? await this.expectFit(settings) : await this.planMemory({ ...settings, batchSize: 1 });
    const grant = await this.#grant(settings, plansToo ? neededBytes(plan) : plan.parameterBytes);
    this.#allocated.clear();
    return grant;
  }

  /** Frees the memory. */
  async leave(): Promise<void> {
    await this.device.watch(this.model.close());
    this.device.memory.remove(this.model);
  }

  /** @throws Refusal DEVICE_MEMORY_EXHAUSTED */
  async #grant(settings: Settings, needed: number, granted = needed): Promise<MemoryGrant> {
    const { device, model } = this;
    const grant = device.memory.grant(model, needed, granted);
    if (grant !== null) return grant;
    const missing = { bytes: needed, freeBytes: Number.POSITIVE_INFINITY };
    throw await this.compute(settings, () => device.memory.refusal(model, this.#cost(settings), settings.batchSize, missing));
  }

  #cost(settings: Settings) {
    return this.device.estimator.cost(this.network, settings);
  }
}

function needSame(a: Settings, b: Settings): boolean {
  return a === b || !(planDiffers(a, b) || graphDiffers(a, b));
}
