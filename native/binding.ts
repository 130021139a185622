/**
 * The bridge to the native engine: the same names in the same order as native/addon has them. Nothing optional crosses it:
 * `T | null` and never `?:`. Every method that returns a promise runs on the device's engine thread, in the order of the calls;
 * nothing here blocks the event loop. A rejected call changed nothing.
 */
import type { NetworkGraph } from './graph.js';

/** tf32 on GPUs alone: float32 whose products are of the upper 19 bits. */
export type Precision = 'float32' | 'tf32' | 'bfloat16';

/** Why the engine refused; `reason` of {@link EngineError}. */
export type EngineReason =
  /** The graph or the input size does not fit together; metadata: `layer`. */
  | 'INVALID_GRAPH'
  /** An argument is out of its range; metadata: `argument`. */
  | 'INVALID_ARGUMENT'
  /** Loss or gradient is NaN or infinite; the step was not applied. Metadata: `loss`, `gradient_norm`. */
  | 'STEP_DIVERGED'
  /** A float image holds NaN, infinity or a value outside -127..128; metadata: `image`, `value`. */
  | 'IMAGE_OUT_OF_RANGE'
  /** An image file that cannot be decoded, or that exceeds a limit; metadata: `problem`. */
  | 'IMAGE_UNDECODABLE'
  /** An image that must be exact has another width; metadata: `got`, `wanted`. */
  | 'WRONG_IMAGE_WIDTH'
  /** The same of the height. */
  | 'WRONG_IMAGE_HEIGHT'
  /** An image that must be exact has channels that cannot be converted without loss; metadata: `got`, `wanted`. */
  | 'WRONG_IMAGE_CHANNELS'
  /** The image's group was cancelled. */
  | 'CANCELLED'
  /** Memory could not be had; metadata: `bytes`. */
  | 'OUT_OF_MEMORY'
  /** There is no usable GPU; metadata: `remedy`. */
  | 'NO_GPU'
  /** cuDNN cannot be loaded; metadata: `library`, `remedy`. */
  | 'CUDNN_MISSING'
  /** cuBLASLt cannot be loaded; metadata: `library`, `remedy`. */
  | 'CUBLAS_MISSING'
  /** The device failed and is lost to this process. */
  | 'DEVICE_LOST'
  /** The engine's queue is full. */
  | 'QUEUE_FULL'
  /** The object was closed. */
  | 'CLOSED'
  /** A defect of the engine or of a library below it. */
  | 'INTERNAL';

/** What a rejected promise or a thrown error of the addon is. `message` is a sentence. */
export interface EngineError extends Error {
  readonly reason: EngineReason;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface DeviceInfo {
  /** Name of the processor or of the GPU. */
  readonly deviceName: string;
  /** Bytes of memory of the machine or of the GPU. */
  readonly memoryBytes: number;
  readonly precisions: readonly Precision[];
  /** For instance `oneDNN 2.6.3`. */
  readonly libraries: readonly string[];
  /** What the engine's own kernels are made for, for instance `avx512`, `amx` or `compute capability 9.0`. */
  readonly instructionSet: string;
}

export interface EngineInfo extends DeviceInfo {
  readonly threads: number;
}

/** A GPU, or the reason why there is none. */
export interface GpuInfo extends DeviceInfo {
  /** Why it cannot be used: NO_GPU, CUDNN_MISSING or CUBLAS_MISSING; null where it can. */
  readonly problem: EngineError | null;
}

/** One device with its one thread and its bounded queue. */
export interface Engine {
  readonly info: EngineInfo;
  /** What a model of this graph would need with these options, without making one. Rejects with INVALID_GRAPH, too. */
  planMemory(graph: NetworkGraph, input: InputSize, options: PlanOptions, solver: Solver): Promise<MemoryPlan>;
  /** Finishes the running job, rejects the queued ones with CLOSED, ends the thread. Repeated calls are allowed. */
  close(): Promise<void>;
}

export interface EngineOptions {
  /** Index of the GPU to compute on; null: the processors. A GPU has one engine at a time, several GPUs one each. */
  readonly gpu: number | null;
  /** Threads that compute; null means all that the process may use. */
  readonly threads: number | null;
  /** Jobs that may wait beside the one that runs, 1 or more; the next is rejected with QUEUE_FULL. */
  readonly queueLength: number;
}

/** Host memory for the pixels of one batch, filled on the caller's thread and read by the engine thread. It holds anything until it is written. */
export interface StagingBuffer {
  readonly byteLength: number;
  /** Copies `bytes` to `offset`; throws INVALID_ARGUMENT beyond the end, while a job reads the buffer and once it was announced, CLOSED after {@link close}. */
  write(offset: number, bytes: Uint8Array): void;
  /**
   * Copies the pieces to `offset`, one after the other, and computes their CRC-32 in the same pass; throws what {@link write} throws, before
   * anything is copied.
   *
   * @param checksum CRC-32 of what comes before them, 0 for nothing
   * @returns that of both
   */
  writePieces(offset: number, pieces: readonly Uint8Array[], checksum: number): number;
  /** A copy of `length` bytes at `offset`; throws INVALID_ARGUMENT beyond the end, CLOSED after {@link close}. */
  read(offset: number, length: number): Uint8Array;
  /** Frees the memory, at once or when the job that reads it has ended. Repeated calls are allowed. */
  close(): void;
}

/**
 * Where the images of a batch lie: each in a staging buffer, several in the same one or not. The table holds the memory, so that a buffer may be
 * closed when it has been named here; but it cannot be written any more.
 */
export interface ImageTable {
  /**
   * The pixels of the image at this position are those that the buffer holds from `offset` on. Throws INVALID_ARGUMENT beyond the ends, and
   * once the table has been read; CLOSED after {@link close} of either.
   */
  set(position: number, buffer: StagingBuffer, offset: number): void;
  /** Gives the memory up, at once or when the job that reads it has ended. Repeated calls are allowed. */
  close(): void;
}

export interface ImageTableOptions {
  /** Images. */
  readonly count: number;
  /** Of each. */
  readonly imageBytes: number;
}

export type PixelFormat = 'uint8' | 'float32';

/** Pixels (count, height, width, channels); height, width and channels are the model's. */
export interface ImageBatch {
  /** They lie one after the other in a staging buffer, or where a table says, all of whose images are set. */
  readonly buffer: StagingBuffer | ImageTable;
  readonly format: PixelFormat;
  readonly count: number;
}

export interface InputSize {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** What decides about plans, their memory and the arithmetic. */
export interface PlanOptions {
  /** Images on the device at once. */
  readonly batchSize: number;
  readonly precision: Precision;
  /** Bit-equal on the same machine with the same number of threads. */
  readonly deterministic: boolean;
  /**
   * Names of layers whose tensors training leaves as they are: no gradient is computed for them, nor for anything below the lowest of the
   * others, and their batch norms take the stored statistics. Applying does not look at it.
   */
  readonly frozenLayers: readonly string[];
}

/** The rule of training; native/engine/model.h has the formulas. */
export type Solver = 'sgd' | 'adam';

export interface TrainOptions extends PlanOptions {
  /** The batch holds batchSize * batchSizeMultiplier images. */
  readonly batchSizeMultiplier: number;
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightPrior: number;
  /** Decoupled: a step takes learningRate * weightDecay of each weight, beside the gradient. */
  readonly weightDecay: number;
  /** In [0, 1). */
  readonly adamBeta1: number;
  /** In [0, 1). */
  readonly adamBeta2: number;
  /** At least 1e-15. */
  readonly adamEpsilon: number;
  /** Longer gradients are shortened to this; 0: none is. */
  readonly maxGradientNorm: number;
  /** What an image of each class counts in L_mn; empty: 1 each. */
  readonly classWeights: readonly number[];
  /** Steps applied before this one; with the model's seed it decides the dropout masks. */
  readonly step: number;
}

export interface StepResult {
  /** L = L_mn + E before the update. */
  readonly loss: number;
  readonly lossMultinomialLogistic: number;
  readonly lossRegularization: number;
  /** Euclidean norm of dL/dw over all values that are not frozen, before it was clipped. */
  readonly gradientNorm: number;
  /** 0..1, of this batch before the update. */
  readonly top1Error: number;
  /** Seconds from the call to its start on the engine thread. */
  readonly queueSeconds: number;
  readonly forwardSeconds: number;
  readonly backwardSeconds: number;
  readonly updateSeconds: number;
}

/** Seconds of one layer in a step; a batch norm's are also those of the addition and the ReLU that it takes with it. */
export interface LayerSeconds {
  readonly layer: string;
  readonly forward: number;
  /** Gradients of weights. */
  readonly weights: number;
  /** The rest of the backward half. */
  readonly backward: number;
}

/** weight: regularised by the weight prior. bias: a bias or a batch norm's scale or shift. statistic: not trained. */
export type GraphTensorRole = 'weight' | 'bias' | 'statistic';

/**
 * What a solver keeps of each trained tensor: sgd its momentum; adam its first and its second moment and, in one value, the number of
 * updates that they have seen.
 */
export type SolverTensorRole = 'momentum' | 'first_moment' | 'second_moment' | 'update_count';

export type TensorRole = GraphTensorRole | SolverTensorRole;

export interface TensorInfo {
  /** As torchvision has it, for instance `layer1.0.bn1.running_mean`. */
  readonly name: string;
  /** Name of the layer. */
  readonly layer: string;
  readonly role: GraphTensorRole;
  readonly shape: readonly number[];
}

/** A tensor of the graph, or a part of the solver's state under the name of the tensor that it belongs to. */
export interface Tensor {
  readonly name: string;
  readonly role: TensorRole;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface LayerInfo {
  readonly name: string;
  readonly kind: string;
  readonly inputs: readonly string[];
  /** Channels, height, width. */
  readonly outputShape: readonly [number, number, number];
  /** Number of values that training changes. */
  readonly parameterCount: number;
}

export interface ReshapeOptions {
  /** Names of layers that begin anew in any case. */
  readonly reinitialize: readonly string[];
  /** Of what begins anew. */
  readonly seed: bigint;
  /** Another rule of training from now on, whose state begins at 0; null: the present one. */
  readonly solver: Solver | null;
  /** Allocate the training plan and the inference plan of these options as well; null: they are allocated when they are needed. */
  readonly plan: PlanOptions | null;
}

export interface MemoryPlan {
  /** Weights, statistics and the solver's state. */
  readonly parameterBytes: number;
  /** All else that a training step needs: arena, gradients, copies of weights, scratch. */
  readonly trainingBytes: number;
  /** All else that applying needs. */
  readonly inferenceBytes: number;
}

/** One network with its weights, its optimiser's state and its plans. */
export interface Model {
  /** All tensors of the graph, in its order. */
  readonly tensors: readonly TensorInfo[];
  readonly layers: readonly LayerInfo[];
  /** Number of values that training changes. */
  readonly parameterCount: number;
  /** Bytes held after the last job that ended, parameters and plans; 0 until the first. */
  readonly memoryBytes: number;
  /** What the options would need, without allocating it. */
  planMemory(options: PlanOptions): Promise<MemoryPlan>;
  /** Allocates the training plan and the inference plan of these options now (runtime_init). */
  prepare(options: PlanOptions): Promise<void>;
  /** Trains by another rule from now on; its state begins at 0. A model begins with sgd; naming the present solver changes nothing. */
  setSolver(solver: Solver): Promise<void>;
  /** One step; `labels` are class indices, one an image. */
  train(batch: ImageBatch, labels: Int32Array, options: TrainOptions): Promise<StepResult>;
  /**
   * Says that the step of this batch comes after those of the batches announced before. A GPU fetches the pixels of the next one while a
   * step of this model computes; nothing else changes. All pixels must be there: the buffer cannot be written from now on, and closing it
   * takes the announcement back. Throws INVALID_ARGUMENT, and CLOSED where the buffer is closed.
   */
  announce(batch: ImageBatch): void;
  /** One step as train() makes it, with the seconds of each layer. */
  profile(batch: ImageBatch, labels: Int32Array, options: TrainOptions): Promise<readonly LayerSeconds[]>;
  /** Confidences (count, classes), batchSize images at a time. */
  apply(batch: ImageBatch, options: PlanOptions): Promise<Float32Array>;
  /** A copy of all tensors and of the solver's state, as they are between two steps. */
  snapshot(): Promise<readonly Tensor[]>;
  /** Overwrites the tensors named (role and name together); all names and shapes are checked first (INVALID_ARGUMENT). Others keep their values. */
  restore(tensors: readonly Tensor[]): Promise<void>;
  /**
   * Changes the graph and the input size. A layer whose tensors all keep their shapes keeps its values and the solver's state; a
   * convolution whose input channels go from 3 to 1 keeps its values, summed over the channels, with a state of zero; any other layer, and
   * those of `reinitialize`, is initialised anew, with a state of zero. All of it is done or, where it rejects, nothing: the old values stay
   * beside the new ones until then. Resolves with the names of the layers initialised anew.
   */
  reshape(graph: NetworkGraph, input: InputSize, options: ReshapeOptions): Promise<readonly string[]>;
  /** Frees all memory after the running job; this model's waiting jobs are rejected with CLOSED. Repeated calls are allowed. */
  close(): Promise<void>;
}

/** Pixels that are there already: interleaved (height, width, channels), 8 bits; 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
export interface PixelLayout {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** A part of an image. */
export interface Window {
  readonly row: number;
  readonly column: number;
  readonly height: number;
  readonly width: number;
}

/** How the images of a batch are varied at random; docs/preprocessing.md has the formulas. null: the method is not used. */
export interface Augmentation {
  readonly seed: bigint;
  /** Names the batch: another one has other numbers. */
  readonly counter: bigint;
  /** 0..100: each image is varied with this probability. */
  readonly percentage: number;
  /** All methods for each image, in the order of the members; else one of them by chance. */
  readonly all: boolean;
  readonly mirror: 'r' | 'c' | 'rc' | null;
  /** Degrees, 0.001..180. */
  readonly rotateStep: number | null;
  /** Degrees, above 0 and at most 180; not together with `rotateStep`. */
  readonly rotateRange: number | null;
  /** Above 0 and at most 100. */
  readonly cropPercentage: number | null;
  /** 1 or more; not together with `cropPercentage`. */
  readonly cropPixels: number | null;
  /** Grey values, above 0 and at most 255. */
  readonly brightnessVariation: number | null;
  /** Grey values, above 0 and at most 255. */
  readonly brightnessVariationSpot: number | null;
}

/** One image on its way to the network. */
export interface ImageRequest {
  /** Holds the image file, or its pixels. In a table the offset counts through all of its images; the bytes are within one. */
  readonly source: StagingBuffer | ImageTable;
  readonly sourceOffset: number;
  readonly sourceBytes: number;
  /** What the pixels are; null where the source is a JPEG or PNG file. */
  readonly pixels: PixelLayout | null;
  /** Gets the pixels (height, width, channels); another buffer than the source. */
  readonly target: StagingBuffer;
  readonly targetOffset: number;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** Refuse what is not of this size and these channels already; else crop, convert, resize. */
  readonly exact: boolean;
  /** The part of the image that is used. */
  readonly domain: Window | null;
  readonly normalizeContrast: boolean;
  readonly augmentation: Augmentation | null;
  /** Position in the batch, for the augmentation. */
  readonly index: number;
  /** What {@link ImageWorkers.cancel} calls it by. */
  readonly group: number;
}

export interface ImageWorkersOptions {
  /** null means all processors that the process may use. */
  readonly threads: number | null;
  /** Images that may wait beside those in work, 1 or more; the next is rejected with QUEUE_FULL. */
  readonly queueLength: number;
}

/** Threads that decode, resize and vary images. What becomes of an image does not depend on their number. */
export interface ImageWorkers {
  /**
   * Decodes, crops, converts, resizes, stretches and varies one image, in this order. Buffers may be closed meanwhile, but not written.
   * Rejects with IMAGE_UNDECODABLE, WRONG_IMAGE_WIDTH, WRONG_IMAGE_HEIGHT, WRONG_IMAGE_CHANNELS, CANCELLED, INVALID_ARGUMENT.
   */
  prepare(image: ImageRequest): Promise<void>;
  /** Rejects the waiting images of this group with CANCELLED; those in work end early. */
  cancel(group: number): void;
  /** Finishes the images in work, rejects the waiting ones with CLOSED, ends the threads. Repeated calls are allowed. */
  close(): Promise<void>;
}

/** What the addon exports. */
export interface Binding {
  /** The GPUs of this machine, by their index; one entry that says why where there is none. Found out at the first call,
   *  by the backend beside the addon, or the one that the environment variable DL_CLASSIFIER_CUDA_BACKEND names. */
  readonly gpus: () => readonly GpuInfo[];
  /** Ends the process with this status and waits for no thread: for a device whose running job never ends. The event `exit` does not happen. */
  readonly exitAtOnce: (status: number) => never;
  readonly Engine: new (options: EngineOptions) => Engine;
  readonly StagingBuffer: new (byteLength: number) => StagingBuffer;
  readonly ImageTable: new (options: ImageTableOptions) => ImageTable;
  readonly ImageWorkers: new (options: ImageWorkersOptions) => ImageWorkers;
  /** Weights by He initialisation from `seed`, biases 0, batch norms 1 and 0, statistics 0 and 1. Throws INVALID_GRAPH. */
  readonly Model: new (
    engine: Engine,
    graph: NetworkGraph,
    input: InputSize,
    seed: bigint,
  ) => Model;
}
