import type { ImageBatch, LayerInfo, MemoryPlan, Model } from '../../native/binding.js';
import type { Device } from '../devices/device.js';
import type { Devices } from '../devices/devices.js';
import type { NetworkDefinition } from '../networks/definition.js';
import type { ParameterView, SetEnvironment } from '../parameters/definition.js';
import { type DeviceChoice, samePlace } from '../parameters/device_choice.js';
import { type Assignment, draftSettings } from '../parameters/registry.js';
import type { Settings } from '../parameters/settings.js';
import { stepSettings } from '../parameters/step.js';
import type { ClassifierRecord } from '../store/classifier_record.js';
import { type BatchDescription, type CommittedBatch, checkBatch, checkImages, expectClasses, type ImagesDescription } from './admission.js';
import type { ApplyResult } from './apply_result.js';
import { Life } from './life.js';
import { Mutex } from './mutex.js';
import { planOptions } from './plan.js';
import { grantChange, reconfigure } from './reconfiguration.js';
import { relocate } from './relocation.js';
import { RequestCache } from './request_cache.js';
import { Residence } from './residence.js';
import type { ClassifierState } from './states.js';
import { toStored } from './stored_tensors.js';
import type { TrainResult } from './train_result.js';
import { trainStep } from './training_step.js';

/** The answer to a training call, as it is remembered under its `request_id`. */
export interface TrainReceipt {
  /** Handle of the train result. */
  readonly handle: string;
  readonly step: number;
  readonly loss: number;
}

/**
 * A network with its parameters, its weights and its place in life. Calls that read or change the weights run one at a time, in the order
 * in which they came; one that is refused leaves the classifier as it was.
 */
export class Classifier {
  readonly requests = new RequestCache<TrainReceipt>();
  readonly #mutex = new Mutex();
  readonly #life = new Life();
  /** Batches that have come whole and whose step is not over; they may be decoding still. */
  readonly #committed = new Set<Promise<unknown>>();
  #settings: Settings;
  #step: number;
  #residence: Residence;

  /**
   * @param place where it is; the model is the classifier's from now on
   * @param devices where it may move to
   */
  constructor(
    readonly network: NetworkDefinition,
    readonly seed: bigint,
    { device, model }: Pick<Residence, 'device' | 'model'>,
    private readonly devices: Pick<Devices, 'at' | 'checked'> & DeviceChoice,
    { settings, step }: Pick<ClassifierRecord, 'settings' | 'step'>,
  ) {
    this.#residence = new Residence(network, device, model);
    this.#settings = settings;
    this.#step = step;
    if (settings.classes.length > 0) this.#life.take('classes_set');
  }

  get state(): ClassifierState {
    return this.#life.state;
  }

  get settings(): Settings {
    return this.#settings;
  }

  /** Steps applied. */
  get step(): number {
    return this.#step;
  }

  /** Where it is. */
  get device(): Pick<Device, 'runtime' | 'index'> {
    return this.#residence.device;
  }

  /** Bytes of memory that it holds now. */
  get memoryBytes(): number {
    return this.#residence.model.memoryBytes;
  }

  get layers(): readonly LayerInfo[] {
    return this.#residence.model.layers;
  }

  /** Whether a call uses it or waits for it. */
  get busy(): boolean {
    return this.#mutex.locked || this.#committed.size > 0;
  }

  /** What its parameters are read from. */
  get view(): ParameterView {
    const settings = this.#settings;
    const counts = this.layers.map(({ name, parameterCount }) => (settings.freeze.layers.includes(name) ? 0 : parameterCount));
    const parameterCount = counts.reduce((sum, count) => sum + count, 0);
    return { settings, network: this.network, step: this.#step, parameterCount };
  }

  /** @throws Refusal HANDLE_CLEARED, CLASSIFIER_FAILED, DEVICE_LOST */
  expectUsable(): void {
    this.#life.expectAlive();
    const { lost } = this.#residence.device;
    if (lost !== null) throw lost;
  }

  /**
   * Sets all of these parameters or none.
   *
   * @returns the layers that were initialised anew
   */
  setParameters(assignments: readonly Assignment[]): Promise<readonly string[]> {
    return this.#exclusively(async () => {
      await this.devices.checked;
      const { initializeRuntime, ...next } = draftSettings(this.#settings, assignments, this.#environment);
      const wholeBatch = initializeRuntime || assignments.some(({ name }) => name === 'batch_size');
      const reinitialized = samePlace(this.#settings, next)
        ? await this.#change(next, wholeBatch, initializeRuntime)
        : await this.#move(next, initializeRuntime);
      this.#settings = next;
      if (next.classes.length > 0) this.#life.take('classes_set');
      return reinitialized;
    });
  }

  /**
   * Checks a batch against the classifier as it is now.
   *
   * @returns the labels as positions in `classes`
   * @throws Refusal as {@link checkBatch} and {@link stepSettings}
   */
  check(batch: BatchDescription): Int32Array {
    const labels = checkBatch(this.#settings, this.#step, batch);
    stepSettings(this.#settings, batch.parameters, this.#environment);
    return labels;
  }

  /** Says that a batch's step comes next, after those announced before: a GPU may fetch its pixels while it computes. */
  announce(pixels: ImageBatch): void {
    this.#residence.model.announce(pixels);
  }

  /** One optimisation step; it is applied when the promise resolves, and not at all when it rejects. */
  train(batch: CommittedBatch): Promise<TrainResult> {
    return this.#exclusively(() => this.#makeStep(batch));
  }

  /**
   * The same under a name: a step of that name that has been applied gives its answer again.
   *
   * @param requestId empty where the step has no name
   * @param batch is asked for when the step's turn has come; what it throws ends the call and changes nothing
   * @param toReceipt is called as soon as the step is applied
   */
  trainOnce(
    requestId: string,
    batch: () => CommittedBatch | Promise<CommittedBatch>,
    toReceipt: (result: TrainResult) => TrainReceipt,
  ): Promise<TrainReceipt> {
    return this.#exclusively(() => this.requests.run(requestId, async () => toReceipt(await this.#makeStep(await batch()))));
  }

  /** What becomes of a batch from its commit on; {@link settled} waits for it. */
  async committed<Result>(work: () => Promise<Result>): Promise<Result> {
    const outcome = work();
    this.#committed.add(outcome);
    try {
      return await outcome;
    } finally {
      this.#committed.delete(outcome);
    }
  }

  /** Resolves when the batches that were committed before, and the calls that came before, have ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#committed);
    await this.#mutex.run(async () => {});
  }

  /** @param signal of a caller who may have left before its turn */
  apply(images: ImagesDescription, pixels: ImageBatch, signal: AbortSignal): Promise<ApplyResult> {
    return this.#exclusively(async () => {
      signal.throwIfAborted();
      const settings = this.#settings;
      expectClasses(settings);
      checkImages(settings, images);
      const grant = await this.#life.during(() => this.#residence.grantWork('applying', settings));
      try {
        const apply = (model: Model) => model.apply(pixels, planOptions(settings));
        const confidences = await this.#life.during(() => this.#residence.work('applying', settings, apply));
        return { classes: settings.classes, imageCount: images.count, confidences };
      } finally {
        grant.release();
      }
    });
  }

  /** All that it takes to go on elsewhere, as it is between two steps. */
  async toRecord(): Promise<ClassifierRecord> {
    return (await this.toRecordWithLayers()).record;
  }

  /** The same, and the layers that belong to it. */
  toRecordWithLayers(): Promise<{ readonly record: ClassifierRecord; readonly layers: readonly LayerInfo[] }> {
    return this.#exclusively(async () => {
      const tensors = await this.#compute(this.#settings, (model) => model.snapshot());
      const { network, seed, layers } = this;
      return { record: { network, settings: this.#settings, step: this.#step, seed, tensors: tensors.map(toStored) }, layers };
    });
  }

  /** Bytes that the budget of this device leaves for it, those that it holds there already included. */
  availableBytes(device: Device): number {
    return this.#residence.availableBytes(device);
  }

  /** Bytes that training and applying need at the present settings. */
  planMemory(): Promise<MemoryPlan> {
    return this.#life.during(() => this.#residence.planMemory(this.#settings));
  }

  /** Waits for the calls that came before and frees the memory; later calls are refused. Repeated calls are allowed. */
  close(): Promise<void> {
    return this.#mutex.run(async () => {
      if (this.state === 'cleared') return;
      this.#life.take('clears');
      await this.#residence.leave();
    });
  }

  get #environment(): SetEnvironment {
    return { network: this.network, devices: this.devices };
  }

  async #makeStep(batch: CommittedBatch): Promise<TrainResult> {
    const labels = this.check(batch);
    const settings = stepSettings(this.#settings, batch.parameters, this.#environment);
    const result = await trainStep(this.#residence, this.#life, { batch, labels, settings, stepsBefore: this.#step });
    this.#step = result.step;
    this.#settings = settings;
    return result;
  }

  /** Changes the model where it is. */
  async #change(next: Settings, wholeBatch: boolean, initializeRuntime: boolean): Promise<readonly string[]> {
    const before = this.#settings;
    const grant = await this.#life.during(() => grantChange(this.#residence, before, next, { wholeBatch, initializeRuntime }));
    try {
      return await this.#compute(next, (model) => reconfigure(model, this.network, this.seed, before, next, initializeRuntime));
    } finally {
      grant?.release();
    }
  }

  /** Moves it to another device; the model that is left goes when all has succeeded. */
  async #move(after: Settings, initializeRuntime: boolean): Promise<readonly string[]> {
    const relocation = { device: this.devices.at(after), seed: this.seed, before: this.#settings, after, initializeRuntime };
    const { residence, reinitializedLayers } = await relocate(this.#residence, this.#life, relocation);
    await this.#residence.leave();
    this.#residence = residence;
    return reinitializedLayers;
  }

  #exclusively<Result>(task: () => Promise<Result>): Promise<Result> {
    return this.#mutex.run(async () => {
      this.expectUsable();
      return task();
    });
  }

  #compute<Result>(settings: Settings, task: (model: Model) => Promise<Result>): Promise<Result> {
    return this.#life.during(() => this.#residence.compute(settings, task));
  }
}
