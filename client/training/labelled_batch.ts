import type { ParameterSet } from '../classifier/parameters.js';
import type { Images } from '../images/image.js';
import type { Label } from './step_call.js';

/** Parameters that may change between two batches of a stream. */
export type StepParameters = Pick<ParameterSet, 'learning_rate' | 'momentum' | 'weight_prior'>;

/** One batch of a stream of batches. */
export interface LabelledBatch {
  /** Exactly batch_size * batch_size_multiplier images. */
  readonly images: Images;
  /** The class of each image. */
  readonly labels: ArrayLike<Label>;
  /** Parameters to set right before this batch's step, after that of the batch before it: a learning rate that drops at an exact step. */
  readonly parameters?: StepParameters | undefined;
}
