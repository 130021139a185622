import type { Binding, Engine, InputSize, Model, Precision } from '../../native/binding.js';
import type { NetworkGraph } from '../../native/graph.js';
import { isEngineError } from '../../native/index.js';
import { MemoryBudget } from '../classifier/memory_budget.js';
import { MemoryEstimator } from '../classifier/memory_estimator.js';
import { type Refusal, refuse } from '../errors/refusal.js';
import type { Runtime } from '../parameters/settings.js';

export interface DeviceOptions {
  readonly binding: Pick<Binding, 'Model'>;
  /** The device's from now on. */
  readonly engine: Engine;
  readonly runtime: Runtime;
  /** Index among those of its kind. */
  readonly index: number;
  /** Bytes of all classifiers on it together. */
  readonly memoryBytes: number;
}

/** Something that classifiers live and compute on. */
export class Device {
  readonly engine: Engine;
  readonly runtime: Runtime;
  readonly index: number;
  /** What all classifiers on it may hold together. */
  readonly memory: MemoryBudget;
  readonly estimator: MemoryEstimator;
  readonly #binding: Pick<Binding, 'Model'>;
  /** Calls of the engine that have not ended. */
  #underWay = 0;
  /** performance.now() of the last end of one or, where none has ended since, of the first one's beginning. */
  #progress = 0;
  #lost: Refusal | null = null;
  #onLost: (() => void) | null = null;

  constructor({ binding, engine, runtime, index, memoryBytes }: DeviceOptions) {
    this.#binding = binding;
    this.engine = engine;
    this.runtime = runtime;
    this.index = index;
    this.memory = new MemoryBudget(memoryBytes);
    this.estimator = new MemoryEstimator({ planMemory: (...subject) => this.compute(() => engine.planMemory(...subject)) });
  }

  /** As the parameter `precision` has them. */
  get precisions(): readonly Precision[] {
    return this.engine.info.precisions;
  }

  /** What a classifier computes in that is not told otherwise. */
  get defaultPrecision(): Precision {
    return this.precisions.includes('tf32') ? 'tf32' : 'float32';
  }

  /** Why nothing can be computed on it any more; null where it can. */
  get lost(): Refusal | null {
    return this.#lost;
  }

  /** Milliseconds for which the engine has finished nothing of what it has to finish; null where there is nothing. */
  get silence(): number | null {
    return this.#underWay === 0 ? null : performance.now() - this.#progress;
  }

  /** Is called once, when the device turns out to be lost. */
  set onLost(listener: () => void) {
    this.#onLost = listener;
  }

  /** A model on this device; it is to be closed. */
  makeModel(graph: NetworkGraph, input: InputSize, seed: bigint): Model {
    return new this.#binding.Model(this.engine, graph, input, seed);
  }

  /**
   * Lets the engine compute.
   *
   * @throws Refusal DEVICE_LOST, from the first failure of that kind on; what else `task` throws
   */
  async compute<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#lost !== null) throw this.#lost;
    try {
      return await this.watch(task());
    } catch (error) {
      if (!isEngineError(error) || error.reason !== 'DEVICE_LOST') throw error;
      throw this.#lose(error.message, error);
    }
  }

  /** Counts work of the engine as something that it has to finish. */
  async watch<Result>(work: Promise<Result>): Promise<Result> {
    if (this.#underWay++ === 0) this.#progress = performance.now();
    try {
      return await work;
    } finally {
      this.#underWay--;
      this.#progress = performance.now();
    }
  }

  /** Ends the engine after the job under way. Repeated calls are allowed. */
  close(): Promise<void> {
    return this.watch(this.engine.close());
  }

  #lose(problem: string, cause: unknown): Refusal {
    if (this.#lost === null) {
      const metadata = { gpu: this.index, problem };
      this.#lost = refuse('DEVICE_LOST', metadata, { cause });
      this.#onLost?.();
    }
    return this.#lost;
  }
}
