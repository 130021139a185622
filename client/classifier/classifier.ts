import { ApplyClassifierRequest } from '../../generated/dlclassifier/v1/classifier.js';
import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { ImageSize, Images } from '../images/image.js';
import type { ImageOptions, ImagePayload } from '../images/payload.js';
import { CallImages } from '../references/call_images.js';
import { RemoteStore } from '../references/remote_store.js';
import type { LabelledBatch } from '../training/labelled_batch.js';
import type { Label } from '../training/step_call.js';
import { type StepTarget, type TrainBatchOptions, trainBatch } from '../training/train_batch.js';
import { type TrainBatchesOptions, trainBatches } from '../training/train_batches.js';
import type { CallOptions } from '../transport/call_options.js';
import { type RepeatableCallOptions, repeatable } from '../transport/retry.js';
import { send } from '../upload/send.js';
import { ApplyResult } from './apply_result.js';
import { type ClassifierDescription, type StoredFile, withNumbers } from './descriptions.js';
import { type ExportOnnxOptions, exportOnnx, exportSafetensors } from './export.js';
import { getParams } from './get_params.js';
import { Handle } from './handle.js';
import { type EstimateMemoryOptions, estimateMemory, type MemoryEstimate } from './memory.js';
import type { ParameterSet, ReadableParameters, WritableParameters } from './parameters.js';
import { receiveSerialized } from './serialized.js';
import { setParams } from './set_params.js';
import type { TrainResult } from './train_result.js';

/**
 * A classifier on the server. Calls on one classifier are made one after the other, however many wait.
 *
 * Every method takes an AbortSignal and a timeout as its last argument, and rejects with a DlClassifierError that says what to mend. Calls
 * that read, `apply`, `write` and the training calls are repeated where the connection broke; the others may be repeated by whoever knows what
 * has become of them.
 */
export class Classifier extends Handle {
  /**
   * Sets one or several parameters, all or none.
   *
   * @returns names of the layers that this initialised anew; empty for most parameters
   * @throws UnknownParameterError, WrongTypeError, WrongValueError, WrongValueCountError, DuplicateClassesError, ImageSizeTooSmallError, ...
   * @example await classifier.setParam({ classes: ['good', 'bad'], batch_size: 32 });
   */
  setParam<Name extends keyof WritableParameters>(name: Name, value: WritableParameters[Name], options?: CallOptions): Promise<string[]>;
  setParam(parameters: ParameterSet, options?: CallOptions): Promise<string[]>;
  setParam(parameters: string | ParameterSet, valueOrOptions?: unknown, options: CallOptions = {}): Promise<string[]> {
    if (typeof parameters === 'string') return setParams(this.connection, this.handle, { [parameters]: valueOrOptions }, options);
    return setParams(this.connection, this.handle, parameters, (valueOrOptions as CallOptions | undefined) ?? {});
  }

  /**
   * Reads one parameter, several, or all.
   *
   * @example const { batch_size, step } = await classifier.getParam(['batch_size', 'step']);
   */
  getParam<Name extends keyof ReadableParameters>(name: Name, options?: RepeatableCallOptions): Promise<ReadableParameters[Name]>;
  getParam<Name extends keyof ReadableParameters>(
    names: readonly Name[],
    options?: RepeatableCallOptions,
  ): Promise<Pick<ReadableParameters, Name>>;
  async getParam(names: string | readonly string[], options: RepeatableCallOptions = {}): Promise<unknown> {
    if (typeof names === 'string') return (await getParams(this.connection, this.handle, [names], options))[names];
    return names.length === 0 ? {} : await getParams(this.connection, this.handle, names, options);
  }

  /** Reads all parameters. */
  async getAllParams(options: RepeatableCallOptions = {}): Promise<ReadableParameters> {
    return (await getParams(this.connection, this.handle, [], options)) as unknown as ReadableParameters;
  }

  /**
   * Makes one optimisation step. It is applied exactly once or not at all, even where the connection breaks and the call is repeated.
   *
   * @param images exactly batch_size * batch_size_multiplier
   * @param labels the class of each image, by name or by position in `classes`
   * @throws WrongImageCountError, InvalidLabelError, ClassesNotSetError, WrongImageWidthError, StepDivergedError, ...
   */
  trainBatch(images: Images, labels: ArrayLike<Label>, options: TrainBatchOptions = {}): Promise<TrainResult> {
    return trainBatch(this.#stepTarget(), images, labels, options);
  }

  /**
   * Makes one step for each batch, in order, and yields its result: while one batch trains the next ones are decoded and sent, and each
   * step starts as soon as the one before it has ended. A lost connection is made anew: the stream goes on after the last step that was
   * applied, and no batch trains twice.
   *
   * A train result is cleared when the loop goes on to the next one, unless `keepResults` is set. Where the loop is left early, the step
   * that trains is finished and later batches are dropped; the server may be up to `window` - 1 steps ahead of the loop, the parameter
   * `step` tells. An aborted signal ends the loop at once with its reason. The first batch that is refused ends the loop, and no later
   * one is trained, unless `onRefused` is given and the batch itself is at fault.
   *
   * @param batches is asked for the next batch when there is room in the window, never earlier
   * @example for await (const { step, loss } of classifier.trainBatches(batches)) console.log(step, loss);
   */
  trainBatches(
    batches: AsyncIterable<LabelledBatch> | Iterable<LabelledBatch>,
    options: TrainBatchesOptions = {},
  ): AsyncGenerator<TrainResult, void, undefined> {
    return trainBatches(this.#stepTarget(), batches, options, () => this.getParam('step', { ...options, retries: 0 }));
  }

  /**
   * Classifies any number of images up to the server's limit (`getServerInfo`), batch_size at a time.
   *
   * @throws ClassesNotSetError, WrongImageWidthError, ImageUndecodableError, LimitExceededError, ...
   * @example const [best] = await (await classifier.apply(['cat.jpg'])).all();
   */
  async apply(images: Images, options: RepeatableCallOptions & ImageOptions = {}): Promise<ApplyResult> {
    const { signal, timeoutMs } = options;
    signal?.throwIfAborted();
    const size = () => this.#imageSize({ signal, timeoutMs });
    // What is classified is seldom classified again: it is named only if that is asked for.
    const imageOptions = { ...options, references: options.references ?? 'never', size };
    const callImages = new CallImages(RemoteStore.of(this.connection), images, imageOptions);
    const attempt = (payload: ImagePayload) => {
      const upload = {
        method: service.applyClassifier,
        header: { classifier: this.handle, images: payload.images },
        body: payload.body,
        message: (fields: Pick<ApplyClassifierRequest, 'header' | 'commit'>): ApplyClassifierRequest =>
          ApplyClassifierRequest.fromPartial(fields),
      };
      return send(this.connection, upload, { signal, timeoutMs });
    };
    const response = await repeatable(options, () => callImages.send(attempt));
    return new ApplyResult(this.connection, response);
  }

  /**
   * Stores the classifier with its parameters and its momentum in the server's model folder; a present file of that name is replaced.
   *
   * @param fileName letters, digits, `.`, `_`, `-`, not beginning with `.`, at most 128 of them; not the name of a network. A missing ending means
   * `.safetensors`
   * @returns its name as `readClassifier` takes it, and its size
   * @throws WrongValueError, FileNotWritableError
   */
  async write(fileName: string, options: RepeatableCallOptions = {}): Promise<StoredFile> {
    const request = { classifier: this.handle, fileName };
    return withNumbers(await repeatable(options, () => this.connection.unary(service.writeClassifier, request, options, true)));
  }

  /** The bytes of the file that `write` would store; `client.deserialize` makes a classifier of them. */
  serialize(options: RepeatableCallOptions = {}): Promise<Buffer> {
    return receiveSerialized(this.connection, this.handle, options);
  }

  /**
   * The weights alone as a safetensors file, under torchvision's names where torchvision has the network: what
   * `load_state_dict(load_file(...), strict=True)` takes.
   */
  exportSafetensors(options: RepeatableCallOptions = {}): Promise<Buffer> {
    return exportSafetensors(this.connection, this.handle, options);
  }

  /**
   * The classifier as an ONNX model with the preprocessing in it: `images` (batch, height, width, channels) -> `confidences` (batch,
   * classes). The class names are in its metadata under `classes`, as JSON.
   */
  exportOnnx(options: ExportOnnxOptions = {}): Promise<Buffer> {
    return exportOnnx(this.connection, this.handle, options);
  }

  /** Tells layers, shapes, number of parameters and the memory that training and applying need. */
  async describe(options: RepeatableCallOptions = {}): Promise<ClassifierDescription> {
    const request = { classifier: this.handle };
    return withNumbers(await repeatable(options, () => this.connection.unary(service.describeClassifier, request, options)));
  }

  /**
   * Tells what memory training and applying would need with these parameters, and the largest batch size that fits; sets nothing.
   *
   * @example
   * const { largestBatchSize } = await classifier.estimateMemory({ parameters: { image_dimensions: [448, 448, 3] } });
   */
  estimateMemory(options: EstimateMemoryOptions = {}): Promise<MemoryEstimate> {
    return estimateMemory(this.connection, { $case: 'classifier', value: this.handle }, options);
  }

  /** Frees the classifier on the server. Its results stay until they are cleared themselves. Repeated calls do nothing. */
  override clear(options: CallOptions = {}): Promise<void> {
    return this.clearOnce(() => this.connection.unary(service.clearClassifier, { classifiers: [this.handle] }, options));
  }

  /** Part of a call that is repeated as a whole. */
  async #imageSize(options: CallOptions): Promise<ImageSize> {
    const [width, height, channels] = await this.getParam('image_dimensions', { ...options, retries: 0 });
    return { width, height, channels };
  }

  #stepTarget(): StepTarget {
    return { connection: this.connection, classifier: this.handle, imageSize: (options) => this.#imageSize(options) };
  }
}
