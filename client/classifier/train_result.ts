import type { TrainBatchResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { type RepeatableCallOptions, repeatable } from '../transport/retry.js';
import { Handle } from './handle.js';
import { decodeValues } from './values.js';

/** What a training step tells, by name. Losses are those of the batch before the update. */
export interface TrainResultValues {
  /** L = L_mn + E, the total loss. */
  readonly loss: number;
  /** L_mn = -1/N * sum_n c_n * log f(x_n)[y_n]; c_n is the weight of the image's class, 1 without `class_weights`. */
  readonly loss_multinomial_logistic: number;
  /** E = weight_prior / 2 * sum_k w_k^2. */
  readonly loss_regularization: number;
  /** Steps applied, this one included. */
  readonly step: number;
  /** That of this step. */
  readonly learning_rate: number;
  /** Euclidean norm of dL/dw over all values that are trained (frozen layers are not), before `max_gradient_norm` shortens it. */
  readonly gradient_norm: number;
  /** 0..1, the share of the batch whose most confident class is not its label. */
  readonly top1_error: number;
  /** Seconds from the call's first message to its commit. */
  readonly time_upload: number;
  /** Seconds from the commit to the start on the device. */
  readonly time_queue: number;
  /** Seconds of the forward pass. */
  readonly time_forward: number;
  /** Seconds of the backward pass. */
  readonly time_backward: number;
  /** Seconds of the update. */
  readonly time_update: number;
  /** Seconds of all together. */
  readonly time_total: number;
}

/** The result of one training step. It holds memory on the server until it is cleared, or expires unused. */
export class TrainResult extends Handle {
  /** L = L_mn + E of the batch, before the update. */
  readonly loss: number;
  /** Steps applied to the classifier, this one included. */
  readonly step: number;

  constructor(connection: Connection, response: TrainBatchResponse) {
    super(connection, response.trainResult);
    this.loss = response.loss;
    this.step = Number(response.step);
  }

  /** Reads one or several parts of the result: `await result.get('top1_error')`, `await result.get(['top1_error', 'time_total'])`. */
  get<Name extends keyof TrainResultValues>(name: Name, options?: RepeatableCallOptions): Promise<TrainResultValues[Name]>;
  get<Name extends keyof TrainResultValues>(
    names: readonly Name[],
    options?: RepeatableCallOptions,
  ): Promise<Pick<TrainResultValues, Name>>;
  async get(names: string | readonly string[], options: RepeatableCallOptions = {}): Promise<unknown> {
    if (typeof names !== 'string' && names.length === 0) return {};
    const request = { trainResult: this.handle, names: typeof names === 'string' ? [names] : [...names] };
    const response = await repeatable(options, () => this.connection.unary(service.getTrainResult, request, options));
    const values = decodeValues(response.results, () => false);
    return typeof names === 'string' ? values[names] : values;
  }

  /** Frees the result on the server. Repeated calls do nothing. */
  override clear(options: CallOptions = {}): Promise<void> {
    return this.clearOnce(() => this.connection.unary(service.clearTrainResult, { trainResults: [this.handle] }, options));
  }
}
