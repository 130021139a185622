/** What convolutions and fully connected layers compute in. Which a device has, GetServerInfo tells. */
export type Precision = 'float32' | 'tf32' | 'bfloat16';

/** The parameters of a classifier that can be read, by name. */
export interface ReadableParameters {
  /** Names of the classes, unique, in the order in which the network tells confidences. */
  readonly classes: readonly string[];
  /** What an image of each class counts in the loss, one weight a class, >= 0; none: 1 each. Default none. */
  readonly class_weights: readonly number[];
  /** Images on the device at once, >= 1. */
  readonly batch_size: number;
  /** Sub-batches of batch_size images that make one training batch, >= 1; default 1. */
  readonly batch_size_multiplier: number;
  /** > 0; default 0.001. It multiplies the gradient before that enters the momentum. */
  readonly learning_rate: number;
  /** In [0, 1); default 0.9. */
  readonly momentum: number;
  /** Factor of the squared weights in the loss, >= 0; biases and batch norms are excluded. */
  readonly weight_prior: number;
  /** The rule of training; default `sgd`. Another one than the present begins with momentum or moments of 0. */
  readonly solver_type: 'sgd' | 'adam';
  /** Decoupled: learning_rate * weight_decay of each weight is taken at each step, >= 0; default 0. Biases and batch norms are excluded. */
  readonly weight_decay: number;
  /** In [0, 1); default 0.9. */
  readonly adam_beta1: number;
  /** In [0, 1); default 0.999. */
  readonly adam_beta2: number;
  /** >= 1e-15; default 1e-8. */
  readonly adam_epsilon: number;
  /** Longer gradients are shortened to this, >= 0; default 0: none is. */
  readonly max_gradient_norm: number;
  /** Weight of a sub-batch in the stored statistics of batch norms, in (0, 1]; default 0.1. */
  readonly batch_norm_momentum: number;
  /** Patterns (`*`, `?`) of names of layers that do not train; default none. */
  readonly freeze: readonly string[];
  /** Pixels in a row; default 224. */
  readonly image_width: number;
  /** Rows; default 224. */
  readonly image_height: number;
  /** 1 (grey) or 3 (red, green, blue); default 3. */
  readonly image_num_channels: 1 | 3;
  /** Width, height and channels together. */
  readonly image_dimensions: readonly [width: number, height: number, channels: 1 | 3];
  /** Smallest value that float images may hold: -127. */
  readonly image_range_min: number;
  /** Largest value that float images may hold: 128. */
  readonly image_range_max: number;
  /** Kind of the device; a set moves the classifier, as it is, to the other one. Default: 'gpu' where one is usable. */
  readonly runtime: 'cpu' | 'gpu';
  /** Index of the GPU; where `runtime` is 'gpu' a set moves the classifier. */
  readonly gpu: number;
  /** Arithmetic of convolutions and fully connected layers. Default: 'float32' on the CPU, 'tf32' on a GPU that has it. */
  readonly precision: Precision;
  /** Whether repeated runs are equal bit for bit on the same machine; default false. */
  readonly deterministic: boolean;
  /** Name of the network. */
  readonly type: string;
  /** Number of values that training changes; those of frozen layers are not among them. */
  readonly num_trainable_params: number;
  /** Training steps applied. */
  readonly step: number;
  /** Names and texts of your own, stored with the classifier. */
  readonly meta_data: Readonly<Record<string, string>>;
}

type ReadOnlyParameter = 'image_range_min' | 'image_range_max' | 'type' | 'num_trainable_params' | 'step';

/** The parameters of a classifier that can be set, by name. */
export interface WritableParameters extends Omit<ReadableParameters, ReadOnlyParameter> {
  /** `immediately` allocates now all that training and applying need, not at the first step. */
  readonly runtime_init: 'immediately';
}

/** Parameters to set; one that is undefined is left out. */
export type ParameterSet = { readonly [Name in keyof WritableParameters]?: WritableParameters[Name] | undefined };

/** How a value travels: `integer` as int64, `real` as double; `list` has several values, all else exactly one. */
export interface ParameterKind {
  readonly value: 'integer' | 'real' | 'string' | 'boolean' | 'map';
  readonly list: boolean;
}

const one = (value: ParameterKind['value']): ParameterKind => ({ value, list: false });
const list = (value: ParameterKind['value']): ParameterKind => ({ value, list: true });

/** Of every parameter; the type makes one that is left out an error of compilation. */
export const PARAMETER_KINDS: Readonly<Record<keyof ReadableParameters | keyof WritableParameters, ParameterKind>> = {
  classes: list('string'),
  class_weights: list('real'),
  batch_size: one('integer'),
  batch_size_multiplier: one('integer'),
  learning_rate: one('real'),
  momentum: one('real'),
  weight_prior: one('real'),
  solver_type: one('string'),
  weight_decay: one('real'),
  adam_beta1: one('real'),
  adam_beta2: one('real'),
  adam_epsilon: one('real'),
  max_gradient_norm: one('real'),
  batch_norm_momentum: one('real'),
  freeze: list('string'),
  image_width: one('integer'),
  image_height: one('integer'),
  image_num_channels: one('integer'),
  image_dimensions: list('integer'),
  image_range_min: one('real'),
  image_range_max: one('real'),
  runtime: one('string'),
  gpu: one('integer'),
  runtime_init: one('string'),
  precision: one('string'),
  deterministic: one('boolean'),
  type: one('string'),
  num_trainable_params: one('integer'),
  step: one('integer'),
  meta_data: one('map'),
};
