import type { ImageBatch, LayerInfo, MemoryPlan, Model } from '../../native/binding.js';
import { isEngineError } from '../../native/index.js';
import type { Device } from '../devices/device.js';
import type { Devices } from '../devices/devices.js';
import { refuse } from '../errors/refusal.js';
import type { NetworkDefinition } from '../networks/definition.js';
import type { ParameterView, SetEnvironment } from '../parameters/definition.js';
import { type DeviceChoice, samePlace } from '../parameters/device_choice.js';
import { type Assignment, draftSettings } from '../parameters/registry.js';
import type { Settings } from '../parameters/settings.js';
import { stepSettings } from '../parameters/step.js';
import type { ClassifierRecord } from '../store/classifier_record.js';
import { type BatchDescription, type CommittedBatch, checkBatch, checkImages, expectClasses, type ImagesDescription } from './admission.js';
import type { ApplyResult } from './apply_result.js';
import { engineRefusal } from './engine_refusal.js';
import { Mutex } from './mutex.js';
import { graphDiffers, inputSize, networkGraph, planDiffers, planOptions, trainOptions } from './plan.js';
import { reconfigure } from './reconfiguration.js';
import { RequestCache } from './request_cache.js';
import { type ClassifierEvent, type ClassifierState, nextState } from './states.js';
import { toStored } from './stored_tensors.js';
import type { TrainResult } from './train_result.js';

/** A device, and the model on it that holds the weights. */
export interface Residence {
  readonly device: Device;
  readonly model: Model;
}

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
  #state: ClassifierState = 'fresh';
  #failure = '';
  #settings: Settings;
  #step: number;
  #residence: Residence;
  /** Bytes that the present settings need, once they are known. */
  #needed: number | null = null;

  /**
   * @param residence the classifier's from now on
   * @param devices where it may move to
   */
  constructor(
    readonly network: NetworkDefinition,
    readonly seed: bigint,
    residence: Residence,
    private readonly devices: Pick<Devices, 'at' | 'checked'> & DeviceChoice,
    { settings, step }: Pick<ClassifierRecord, 'settings' | 'step'>,
  ) {
    this.#residence = residence;
    this.#settings = settings;
    this.#step = step;
    if (settings.classes.length > 0) this.#take('classes_set');
    residence.device.memory.add(residence.model);
  }

  get state(): ClassifierState {
    return this.#state;
  }

  get settings(): Settings {
    return this.#settings;
  }

  /** Steps applied. */
  get step(): number {
    return this.#step;
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
    return this.#mutex.locked;
  }

  /** What its parameters are read from. */
  get view(): ParameterView {
    const settings = this.#settings;
    const trained = this.layers.filter(({ name }) => !settings.freeze.layers.includes(name));
    const parameterCount = trained.reduce((sum, layer) => sum + layer.parameterCount, 0);
    return { settings, network: this.network, step: this.#step, parameterCount };
  }

  /** @throws Refusal HANDLE_CLEARED, CLASSIFIER_FAILED, DEVICE_LOST */
  expectUsable(): void {
    if (this.#state === 'cleared') throw refuse('HANDLE_CLEARED', { handle_kind: 'classifier' });
    if (this.#state === 'failed') throw refuse('CLASSIFIER_FAILED', { problem: this.#failure });
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
      this.#needed = null;
      if (next.classes.length > 0) this.#take('classes_set');
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

  /** Resolves when the calls that came before have ended. */
  async settled(): Promise<void> {
    await this.#mutex.run(async () => {});
  }

  /** @param signal of a caller who may have left before its turn */
  apply(images: ImagesDescription, pixels: ImageBatch, signal: AbortSignal): Promise<ApplyResult> {
    return this.#exclusively(async () => {
      signal.throwIfAborted();
      const settings = this.#settings;
      expectClasses(settings);
      checkImages(settings, images);
      await this.#expectFit(settings);
      const confidences = await this.#compute(settings, ({ model }) => model.apply(pixels, planOptions(settings)));
      return { classes: settings.classes, imageCount: images.count, confidences };
    });
  }

  /** All that it takes to go on elsewhere, as it is between two steps. */
  async toRecord(): Promise<ClassifierRecord> {
    return (await this.toRecordWithLayers()).record;
  }

  /** The same, and the layers that belong to it. */
  toRecordWithLayers(): Promise<{ readonly record: ClassifierRecord; readonly layers: readonly LayerInfo[] }> {
    return this.#exclusively(async () => {
      const tensors = await this.#compute(this.#settings, ({ model }) => model.snapshot());
      const { network, seed, layers } = this;
      return { record: { network, settings: this.#settings, step: this.#step, seed, tensors: tensors.map(toStored) }, layers };
    });
  }

  /** Bytes that the budget of this device leaves for it, those that it holds there already included. */
  availableBytes(device: Device): number {
    const { model, device: present } = this.#residence;
    return device.memory.availableFor(device === present ? model : null);
  }

  /** Bytes that training and applying need at the present settings. */
  planMemory(): Promise<MemoryPlan> {
    const settings = this.#settings;
    return this.#compute(settings, ({ device }) => device.estimator.plan(this.network, settings));
  }

  /** Waits for the calls that came before and frees the memory; later calls are refused. Repeated calls are allowed. */
  close(): Promise<void> {
    return this.#mutex.run(async () => {
      if (this.#state === 'cleared') return;
      this.#take('clears');
      const { model, device } = this.#residence;
      await model.close();
      device.memory.remove(model);
    });
  }

  get #environment(): SetEnvironment {
    return { network: this.network, devices: this.devices };
  }

  async #makeStep(batch: CommittedBatch): Promise<TrainResult> {
    const waitSeconds = (performance.now() - batch.committed) / 1000;
    const labels = this.check(batch);
    await this.#expectFit(this.#settings);
    const settings = stepSettings(this.#settings, batch.parameters, this.#environment);
    const options = trainOptions(settings, this.#step);
    this.#take('step_begins');
    try {
      const result = await this.#compute(settings, ({ model }) => model.train(batch.pixels, labels, options));
      this.#step++;
      this.#settings = settings;
      return { ...result, step: this.#step, learningRate: settings.learningRate, uploadSeconds: batch.uploadSeconds, waitSeconds };
    } finally {
      if (this.#state === 'training') this.#take('step_ends');
    }
  }

  #exclusively<Result>(task: () => Promise<Result>): Promise<Result> {
    return this.#mutex.run(async () => {
      this.expectUsable();
      return task();
    });
  }

  /** Changes the model where it is. */
  async #change(next: Settings, wholeBatch: boolean, initializeRuntime: boolean): Promise<readonly string[]> {
    await this.#expectChangeFits(next, wholeBatch);
    const change = await this.#compute(next, ({ model }) => reconfigure(model, this.network, this.seed, this.#settings, next));
    try {
      if (initializeRuntime) await this.#compute(next, ({ model }) => model.prepare(planOptions(next)));
    } catch (error) {
      await this.#undo(change?.undo);
      throw error;
    }
    return change?.reinitializedLayers ?? [];
  }

  /** Makes a model of the same values on another device and changes that; the one that is left goes when all has succeeded. */
  async #move(next: Settings, initializeRuntime: boolean): Promise<readonly string[]> {
    const before = this.#settings;
    const { network, seed } = this;
    const device = this.devices.at(next);
    const cost = device.estimator.cost(network, next);
    await this.#compute(next, () => device.memory.expectFit(null, cost, next.batchSize));
    const tensors = await this.#compute(before, ({ model }) => model.snapshot());
    const residence = { device, model: device.makeModel(networkGraph(network, before), inputSize(before), seed) };
    device.memory.add(residence.model);
    try {
      const change = await this.#compute(
        next,
        async ({ model }) => {
          await model.setSolver(before.solverType);
          await model.restore(tensors);
          const made = await reconfigure(model, network, seed, before, next);
          if (initializeRuntime) await model.prepare(planOptions(next));
          return made;
        },
        residence,
      );
      await this.#leave(this.#residence);
      this.#residence = residence;
      return change?.reinitializedLayers ?? [];
    } catch (error) {
      await this.#leave(residence);
      throw error;
    }
  }

  async #leave({ device, model }: Residence): Promise<void> {
    await model.close();
    device.memory.remove(model);
  }

  /** Lets the engine compute; what it refuses becomes a refusal, and a defect in it ends this classifier. */
  async #compute<Result>(
    settings: Settings,
    task: (residence: Residence) => Promise<Result>,
    residence: Residence = this.#residence,
  ): Promise<Result> {
    const { device, model } = residence;
    try {
      return await device.compute(() => task(residence));
    } catch (error) {
      if (isEngineError(error) && error.reason === 'INTERNAL' && residence === this.#residence) this.#fail(error.message);
      // Cleared while a look at it was under way, which waits for nobody.
      if (this.#state === 'cleared') this.expectUsable();
      const cost = device.estimator.cost(this.network, settings);
      throw await engineRefusal(error, (bytes) => device.memory.refusal(model, cost, settings.batchSize, bytes));
    }
  }

  /**
   * A set must not ask for more memory than there is. One that asks for no more than before, or for other classes alone, may leave a
   * batch that is too large already, as another batch size may be set before the next step; one image must fit in any case.
   */
  async #expectChangeFits(next: Settings, wholeBatch: boolean): Promise<void> {
    const present = this.#settings;
    const differs = planDiffers(present, next);
    if (wholeBatch || (differs && (await this.#needsMore(next, present)))) {
      await this.#expectFit(next);
    } else if (differs || graphDiffers(present, next)) {
      await this.#expectFit({ ...next, batchSize: 1 });
    }
  }

  async #needsMore(next: Settings, present: Settings): Promise<boolean> {
    const bytes = (settings: Settings) =>
      this.#compute(settings, ({ device }) => device.estimator.cost(this.network, settings).bytes(settings.batchSize));
    return (await bytes(next)) > (await bytes(present));
  }

  async #expectFit(settings: Settings): Promise<void> {
    const { device, model } = this.#residence;
    const { memory, estimator } = device;
    const known = settings === this.#settings ? this.#needed : null;
    if (known !== null && known <= memory.availableFor(model)) return;
    const cost = estimator.cost(this.network, settings);
    const needed = await this.#compute(settings, () => memory.expectFit(model, cost, settings.batchSize));
    if (settings === this.#settings) this.#needed = needed;
  }

  async #undo(undo: (() => Promise<void>) | undefined): Promise<void> {
    try {
      await undo?.();
    } catch (error) {
      this.#fail('a change that was refused could not be undone');
      throw error;
    }
  }

  #fail(problem: string): void {
    if (this.#state === 'failed' || this.#state === 'cleared') return;
    this.#failure = problem;
    this.#take('fails');
  }

  #take(event: ClassifierEvent): void {
    this.#state = nextState(this.#state, event);
  }
}
