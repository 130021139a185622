/**
 * A network as data: the layers in the order of computation. The engine compiles it for a batch size, an image size and a
 * precision. Tensors are named after their layer, as torchvision has them: `conv1.weight`, `bn1.running_mean`.
 */
export interface NetworkGraph {
  readonly layers: readonly Layer[];
}

/** Height and width, in this order. */
export type Extent = readonly [height: number, width: number];

interface Named {
  /** Unique in the graph. */
  readonly name: string;
}

interface Unary extends Named {
  /** Name of the layer whose output this one reads. */
  readonly input: string;
}

/** The images: each channel value v in -127..128 becomes v * scale[c] + shift[c]. The first layer, and the only one of its kind. */
export interface InputLayer extends Named {
  readonly kind: 'input';
  /** One value a channel. */
  readonly scale: readonly number[];
  /** One value a channel. */
  readonly shift: readonly number[];
}

/** Tensors: `weight` (outChannels, inChannels / groups, kernel height, kernel width) and, with bias, `bias` (outChannels). */
export interface ConvolutionLayer extends Unary {
  readonly kind: 'convolution';
  readonly outChannels: number;
  readonly kernel: Extent;
  readonly stride: Extent;
  /** Zeros added on both sides. */
  readonly padding: Extent;
  readonly groups: number;
  readonly bias: boolean;
}

/**
 * y = (x - mean) / sqrt(variance + epsilon) * weight + bias per channel. Training takes mean and variance (biased) of the sub-batch
 * and moves the running ones: r <- (1 - momentum) r + momentum * batch's (variance unbiased); applying takes the running ones.
 * Tensors: `weight`, `bias`, `running_mean`, `running_var` (channels).
 */
export interface BatchNormLayer extends Unary {
  readonly kind: 'batch_norm';
  readonly epsilon: number;
  readonly momentum: number;
}

/** y = min(max(x, 0), max); `max` null means no upper bound. */
export interface ReluLayer extends Unary {
  readonly kind: 'relu';
  readonly max: number | null;
}

/** The sum of two layers of equal shape. */
export interface AddLayer extends Named {
  readonly kind: 'add';
  readonly inputs: readonly [string, string];
}

/** The channels of several layers one after the other. */
export interface ConcatLayer extends Named {
  readonly kind: 'concat';
  readonly inputs: readonly string[];
}

/** Windows that reach over the edge see only what is inside. `ceilMode` rounds the output size up, as PyTorch does. */
export interface MaxPoolLayer extends Unary {
  readonly kind: 'max_pool';
  readonly kernel: Extent;
  readonly stride: Extent;
  readonly padding: Extent;
  readonly ceilMode: boolean;
}

/** With `countIncludePad` the divisor counts the padding, as PyTorch does by default. */
export interface AveragePoolLayer extends Unary {
  readonly kind: 'average_pool';
  readonly kernel: Extent;
  readonly stride: Extent;
  readonly padding: Extent;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
}

/** The mean over height and width; its output is (channels, 1, 1). */
export interface GlobalAveragePoolLayer extends Unary {
  readonly kind: 'global_average_pool';
}

/** Training sets a value to 0 with this probability and divides the others by (1 - probability); applying changes nothing. */
export interface DropoutLayer extends Unary {
  readonly kind: 'dropout';
  readonly probability: number;
}

/** Flattens (channels, height, width) in this order. Tensors: `weight` (outFeatures, inFeatures) and, with bias, `bias` (outFeatures). */
export interface FullyConnectedLayer extends Unary {
  readonly kind: 'fully_connected';
  readonly outFeatures: number;
  readonly bias: boolean;
}

/** Turns logits (classes, 1, 1) into confidences; in training the multinomial logistic loss. The last layer, and the only one of its kind. */
export interface SoftmaxLayer extends Unary {
  readonly kind: 'softmax';
}

export type Layer =
  | InputLayer
  | ConvolutionLayer
  | BatchNormLayer
  | ReluLayer
  | AddLayer
  | ConcatLayer
  | MaxPoolLayer
  | AveragePoolLayer
  | GlobalAveragePoolLayer
  | DropoutLayer
  | FullyConnectedLayer
  | SoftmaxLayer;
