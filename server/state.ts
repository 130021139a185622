import type { Binding } from '../native/binding.js';
import type { ApplyResult } from './classifier/apply_result.js';
import type { Classifier } from './classifier/classifier.js';
import { ClassifierFactory } from './classifier/classifier_factory.js';
import type { TrainResult } from './classifier/train_result.js';
import type { Limits } from './config.js';
import type { Devices } from './devices/devices.js';
import { refuse } from './errors/refusal.js';
import { HandleTable } from './handles/handle_table.js';
import type { ImageStore } from './image_store/image_store.js';
import type { Logger } from './log.js';
import { ModelFolder } from './store/model_folder.js';
import { UploadBudget } from './upload/budget.js';

/** What handles stand for. */
export interface HandleKinds {
  classifier: Classifier;
  train_result: TrainResult;
  apply_result: ApplyResult;
}

export interface ServerOptions {
  readonly binding: Binding;
  /** The state's from now on. */
  readonly devices: Devices;
  /** Absolute path. */
  readonly modelFolder: string;
  /** The state's from now on. */
  readonly images: ImageStore;
  readonly limits: Limits;
  readonly log: Logger;
}

/** Of all train results, which callers may forget to clear; some tens of megabytes. */
const TRAIN_RESULTS = 65_536;

/** Bytes of the confidences of all apply results, and of one. */
export const APPLY_RESULT_BYTES = 2 ** 30;

/** Milliseconds between two looks for handles that have expired, at most. */
const EXPIRY_INTERVAL = 60_000;

/** What all calls share. */
export class ServerState {
  readonly binding: Binding;
  readonly devices: Devices;
  /** Absolute path of the model folder. */
  readonly modelFolder: string;
  readonly folder: ModelFolder;
  readonly images: ImageStore;
  readonly limits: Limits;
  readonly uploads: UploadBudget;
  readonly handles: HandleTable<HandleKinds>;
  readonly classifiers: ClassifierFactory;
  readonly #log: Logger;
  readonly #expiry: NodeJS.Timeout;
  /** Classifiers that are being made and have no handle yet. */
  #arriving = 0;

  constructor({ binding, devices, modelFolder, images, limits, log }: ServerOptions) {
    this.binding = binding;
    this.devices = devices;
    this.modelFolder = modelFolder;
    this.folder = new ModelFolder(modelFolder);
    this.images = images;
    this.limits = limits;
    this.uploads = new UploadBudget(limits.uploadBytesTotal);
    this.#log = log;
    this.classifiers = new ClassifierFactory(devices);
    const idleMilliseconds = limits.handleIdleSeconds * 1000;
    this.handles = new HandleTable(this.#kindRules(), idleMilliseconds);
    this.#expiry = setInterval(() => this.handles.expire(), Math.min(idleMilliseconds / 2, EXPIRY_INTERVAL)).unref();
  }

  /**
   * Gives a new classifier a handle.
   *
   * @param signal of a caller who may leave; nobody could clear what only that caller would have learned of
   * @throws Refusal SERVER_BUSY where too many are open; what `make` throws; the signal's reason
   */
  async openClassifier(make: () => Promise<Classifier>, signal: AbortSignal): Promise<string> {
    if (this.handles.open('classifier').length + this.#arriving >= this.limits.classifiers) {
      throw refuse('SERVER_BUSY', { limit: 'classifiers' });
    }
    this.#arriving++;
    try {
      const classifier = await make();
      if (signal.aborted) await classifier.close();
      signal.throwIfAborted();
      return this.handles.add('classifier', classifier);
    } finally {
      this.#arriving--;
    }
  }

  /** Frees everything after the calls under way. */
  async close(): Promise<void> {
    clearInterval(this.#expiry);
    await Promise.all(this.handles.open('classifier').map(({ value }) => value.close()));
    await this.devices.close();
    await this.images.close();
  }

  #kindRules(): ConstructorParameters<typeof HandleTable<HandleKinds>>[0] {
    return {
      classifier: {
        capacity: null,
        size: () => 1,
        isBusy: (classifier) => classifier.busy,
        onExpired: (classifier) => {
          this.#log.info({ network: classifier.network.name, step: classifier.step }, 'a classifier expired unused');
          classifier.close().catch((error: unknown) => this.#log.error({ err: error }, 'an expired classifier could not be closed'));
        },
      },
      train_result: { capacity: TRAIN_RESULTS, size: () => 1, isBusy: () => false, onExpired: () => {} },
      apply_result: {
        capacity: APPLY_RESULT_BYTES,
        size: ({ confidences }) => confidences.byteLength,
        isBusy: () => false,
        onExpired: () => {},
      },
    };
  }
}
