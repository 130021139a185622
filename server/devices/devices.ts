import type { Binding, DeviceInfo, GpuInfo, Precision } from '../../native/binding.js';
import { isEngineError } from '../../native/index.js';
import type { Refusal } from '../errors/refusal.js';
import type { Logger } from '../log.js';
import type { DeviceChoice, Place } from '../parameters/device_choice.js';
import { Device } from './device.js';
import { failedCheckRefusal, gpuRefusal } from './gpu_refusal.js';
import { selfCheck } from './self_check.js';

/** Jobs that may wait for a device; beyond it calls are refused with SERVER_BUSY. */
const QUEUE_LENGTH = 256;

/** Part of the machine's memory that classifiers may hold where the configuration does not say. */
const CPU_MEMORY_SHARE = 0.75;

/** The same of a GPU's memory: the rest is for the driver, the libraries and a screen. */
const GPU_MEMORY_SHARE = 0.9;

/** A GPU that has not passed its self-check by then hangs. Milliseconds. */
const SELF_CHECK_TIME = 300_000;

export interface DevicesOptions {
  readonly binding: Binding;
  /** Threads that compute; null means all that the process may use. */
  readonly threads: number | null;
  /** Bytes of all classifiers on the CPU; null means three quarters of the machine's. */
  readonly memoryBytes: number | null;
  readonly log: Logger;
}

/** A GPU of this machine, or the entry that says why there is none. */
interface Gpu {
  readonly info: GpuInfo;
  /** Where classifiers can be on it. */
  device: Device | null;
  /** Why not. */
  refusal: Refusal | null;
}

/** What a caller is told of a device. */
export interface ListedDevice {
  readonly place: Place;
  readonly info: DeviceInfo;
  readonly threads: number;
  /** Bytes of all classifiers on it together; 0 where none can be. */
  readonly budgetBytes: number;
  readonly refusal: Refusal | null;
}

/** The devices of this machine. GPUs are usable once they have passed a self-check, which runs beside everything else. */
export class Devices implements DeviceChoice {
  readonly cpu: Device;
  /** Resolves with the first device that is lost. */
  readonly lost: Promise<Device>;
  readonly #gpus: Gpu[];
  /** All that were made, those among them that did not pass their self-check. */
  readonly #made: Device[] = [];
  readonly #options: DevicesOptions;
  #tellLost: (device: Device) => void = () => {};
  #checked: Promise<void> | null = null;
  #closing = false;

  constructor(options: DevicesOptions) {
    this.#options = options;
    this.lost = new Promise((resolve) => {
      this.#tellLost = resolve;
    });
    const { memoryBytes } = options;
    this.cpu = this.#makeDevice({ runtime: 'cpu', gpu: 0 }, (info) => memoryBytes ?? Math.floor(info.memoryBytes * CPU_MEMORY_SHARE));
    this.#gpus = options.binding.gpus().map((info) => {
      return { info, device: null, refusal: info.problem === null ? null : gpuRefusal(info.problem) };
    });
  }

  /** Resolves when every GPU is known to be usable or not; until then none is. The first call begins to examine them. */
  get checked(): Promise<void> {
    this.#checked ??= this.#checkAll();
    return this.#checked;
  }

  /** All devices that may compute, GPUs that are being examined among them. */
  get all(): readonly Device[] {
    return this.#made;
  }

  get gpuCount(): number {
    return Math.max(1, this.#gpus.length);
  }

  /** Where a classifier is that is not told otherwise: the first GPU that can be used, else the CPU. */
  async preferred(): Promise<Device> {
    await this.checked;
    return this.#gpus.find(({ device }) => device !== null && device.lost === null)?.device ?? this.cpu;
  }

  /** @throws Refusal as {@link refusal} tells it */
  at(place: Place): Device {
    const refusal = this.refusal(place);
    if (refusal !== null) throw refusal;
    return this.#find(place) ?? this.cpu;
  }

  refusal(place: Place): Refusal | null {
    if (place.runtime === 'cpu') return this.cpu.lost;
    const gpu = this.#gpus[place.gpu];
    return gpu?.device?.lost ?? gpu?.refusal ?? (gpu?.device ? null : failedCheckRefusal('it has not been examined'));
  }

  precisions(place: Place): readonly Precision[] {
    return this.at(place).precisions;
  }

  defaultPrecision(place: Place): Precision {
    return this.at(place).defaultPrecision;
  }

  /** The CPU, then the GPUs, the unusable ones included, so that a caller who looks for a GPU learns why. */
  async list(): Promise<readonly ListedDevice[]> {
    await this.checked;
    const { engine, memory } = this.cpu;
    const { info } = engine;
    const cpu: ListedDevice = { place: { runtime: 'cpu', gpu: 0 }, info, threads: info.threads, budgetBytes: memory.bytes, refusal: null };
    const gpus = this.#gpus.map((gpu, index): ListedDevice => {
      const place = { runtime: 'gpu', gpu: index } as const;
      return { place, info: gpu.info, threads: 0, budgetBytes: gpu.device?.memory.bytes ?? 0, refusal: this.refusal(place) };
    });
    return [cpu, ...gpus];
  }

  /** Ends all engines after the jobs under way; a check ends with them. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#made.map((device) => device.close()));
    await this.#checked;
  }

  #find({ runtime, gpu }: Place): Device | null {
    return runtime === 'gpu' ? (this.#gpus[gpu]?.device ?? null) : this.cpu;
  }

  /** One after the other: each has the processors to itself for the comparison. */
  async #checkAll(): Promise<void> {
    for (const [index, gpu] of this.#gpus.entries()) {
      if (this.#closing) return;
      if (gpu.refusal === null) await this.#check(gpu, index);
      const problem = gpu.refusal?.message;
      const { deviceName, libraries } = gpu.info;
      if (problem !== undefined && !this.#closing) this.#options.log.info({ gpu: deviceName, libraries, problem }, 'a GPU is not used');
    }
  }

  async #check(gpu: Gpu, index: number): Promise<void> {
    const { log } = this.#options;
    const { deviceName, memoryBytes } = gpu.info;
    const began = performance.now();
    let device: Device | null = null;
    try {
      device = this.#makeDevice({ runtime: 'gpu', gpu: index }, () => Math.floor(memoryBytes * GPU_MEMORY_SHARE));
      const { problems, distances } = await inTime(device.watch(selfCheck(device, this.cpu)));
      const facts = { gpu: deviceName, index, seconds: (performance.now() - began) / 1000, distances };
      if (problems.length === 0) gpu.device = device;
      else gpu.refusal = failedCheckRefusal(problems.join('; '));
      if (problems.length === 0) log.info(facts, 'a GPU has passed its self-check');
      else log.error({ ...facts, problems }, 'a GPU has not passed its self-check');
    } catch (error) {
      if (this.#closing && isEngineError(error) && error.reason === 'CLOSED') return;
      gpu.refusal = failedCheckRefusal(error instanceof Error ? error.message : String(error), error);
      log.error({ err: error, gpu: deviceName, index }, 'a GPU has not passed its self-check');
    } finally {
      // Not awaited: one that hangs would hold up the others.
      if (gpu.device === null)
        device?.close().catch((error: unknown) => log.error({ err: error, index }, 'its engine could not be closed'));
    }
  }

  /** @param budget bytes of all classifiers on it together */
  #makeDevice({ runtime, gpu: index }: Place, budget: (info: DeviceInfo) => number): Device {
    const { binding, threads } = this.#options;
    const engine = new binding.Engine({ gpu: runtime === 'gpu' ? index : null, threads, queueLength: QUEUE_LENGTH });
    const device = new Device({ binding, engine, runtime, index, memoryBytes: budget(engine.info) });
    this.#made.push(device);
    device.onLost = () => {
      // One that fails in its own check was never anybody's.
      if (this.#find({ runtime, gpu: index }) === device) this.#tellLost(device);
    };
    return device;
  }
}

async function inTime<Result>(work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the self-check did not end within ${SELF_CHECK_TIME / 1000} seconds`)), SELF_CHECK_TIME);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
