import { ClassifierServiceService as service } from '../generated/dlclassifier/v1/classifier_service.js';
import { Classifier } from './classifier/classifier.js';
import { type ClassifierList, type ImportedWeights, type ServerInfo, withNumbers } from './classifier/descriptions.js';
import { type ImportWeightsOptions, sendWeights } from './classifier/import_weights.js';
import { type EstimateMemoryOptions, estimateMemory, type MemoryEstimate } from './classifier/memory.js';
import { sendSerialized } from './classifier/serialized.js';
import type { CallOptions } from './transport/call_options.js';
import type { ConnectOptions } from './transport/connect_options.js';
import { Connection } from './transport/connection.js';
import { type RepeatableCallOptions, repeatable } from './transport/retry.js';
import { unsigned64 } from './upload/unsigned.js';

export interface ReadClassifierOptions extends CallOptions {
  /**
   * For a network: whether to read its trained weights (FileNotFoundError where the server has none) or to begin with fresh ones. Not
   * used for a stored classifier, nor for `compact` and `enhanced`, which have fresh weights only.
   *
   * @default true
   */
  readonly pretrained?: boolean | undefined;
  /** Seed of fresh weights and of dropout: the same seed gives the same weights bit for bit. @default drawn by the server */
  readonly seed?: number | bigint | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * A connection to a dl-classifierd.
 *
 * @example
 * await using client = await DlClassifierClient.connect('127.0.0.1:50051');
 * await using classifier = await client.readClassifier('compact');
 * await classifier.setParam({ classes: ['good', 'bad'], image_dimensions: [64, 64, 3], batch_size: 2 });
 * const { loss } = await classifier.trainBatch(['good/1.png', 'bad/1.png'], ['good', 'bad']);
 */
export class DlClassifierClient implements AsyncDisposable {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Connects, and waits until the server is there.
   *
   * @param address `HOST:PORT` or `unix:PATH`
   * @throws ConnectionError where nothing answers there; another Error where the address or what TLS is given is none
   */
  static async connect(address = '127.0.0.1:50051', options: ConnectOptions = {}): Promise<DlClassifierClient> {
    options.signal?.throwIfAborted();
    const connection = new Connection(address, options);
    try {
      await connection.ready(options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, options.signal);
    } catch (error) {
      connection.close();
      throw error;
    }
    return new DlClassifierClient(connection);
  }

  /**
   * Loads a network or a stored classifier. Reading the same name twice gives two independent classifiers.
   *
   * @param fileName a network (`compact`, `resnet18`, or as HALCON's scripts have it `pretrained_dl_classifier_compact.hdl`) or the
   * name of a stored classifier; `listClassifiers` and `getServerInfo` tell what there is
   * @throws FileNotFoundError, FileDamagedError, FileNotOursError, FileTooNewError
   */
  async readClassifier(fileName: string, options: ReadClassifierOptions = {}): Promise<Classifier> {
    const seed = options.seed === undefined ? undefined : unsigned64(options.seed, 'seed');
    const request = { fileName, pretrained: options.pretrained, seed };
    const { classifier } = await this.#connection.unary(service.readClassifier, request, options, true);
    return new Classifier(this.#connection, classifier);
  }

  /** A classifier whose handle is known, for instance from a program that ended. Nothing is asked of the server. */
  openHandle(handle: string): Classifier {
    return new Classifier(this.#connection, handle);
  }

  /**
   * Makes a classifier from the bytes of `classifier.serialize()`, or of a stored file.
   *
   * @throws FileNotOursError, FileDamagedError, FileTooNewError, LimitExceededError, DeviceMemoryExhaustedError
   */
  async deserialize(bytes: Uint8Array, options: CallOptions = {}): Promise<Classifier> {
    return new Classifier(this.#connection, await sendSerialized(this.#connection, bytes, options));
  }

  /**
   * Brings weights from other programs, torchvision or timm for instance: as the network's trained weights, which
   * `readClassifier('pretrained_dl_classifier_resnet18')` finds from then on, or with `name` as a stored classifier.
   *
   * @param bytes a safetensors file with tensors of the types F32, F16, BF16 or F64
   * @param network for instance `resnet18`
   * @throws WeightsDoNotFitError, which names every tensor that is missing, superfluous or misshapen; FileNotOursError
   */
  async importWeights(bytes: Uint8Array, network: string, options: ImportWeightsOptions = {}): Promise<ImportedWeights> {
    return withNumbers(await sendWeights(this.#connection, bytes, network, options));
  }

  /** Lists what is stored on the server, and what is open. */
  async listClassifiers(options: RepeatableCallOptions = {}): Promise<ClassifierList> {
    return withNumbers(await repeatable(options, () => this.#connection.unary(service.listClassifiers, {}, options)));
  }

  /**
   * Tells what memory training and applying a network would need, and the largest batch size that fits, before anything is allocated.
   *
   * @param network `compact`, `resnet18`, ...
   * @throws FileNotFoundError where there is no such network; what `setParam` throws of the parameters
   * @example
   * const { bytes } = await client.estimateMemory('resnet50', { parameters: { batch_size: 32 }, classCount: 7 });
   */
  estimateMemory(network: string, options: EstimateMemoryOptions = {}): Promise<MemoryEstimate> {
    return estimateMemory(this.#connection, { $case: 'network', value: network }, options);
  }

  /** Tells the server's version, devices, limits and networks. */
  async getServerInfo(options: RepeatableCallOptions = {}): Promise<ServerInfo> {
    return withNumbers(await repeatable(options, () => this.#connection.unary(service.getServerInfo, {}, options)));
  }

  /**
   * Ends the connection. Calls under way end with a ConnectionError; a step whose batch had arrived may be applied all the same. Classifiers
   * stay open on the server until they expire.
   */
  close(): void {
    this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
