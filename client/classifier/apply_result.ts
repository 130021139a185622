import type { ApplyClassifierResponse, GetResultRequest } from '../../generated/dlclassifier/v1/classifier.js';
import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { type RepeatableCallOptions, repeatable } from '../transport/retry.js';
import { Handle } from './handle.js';
import { decodeValues } from './values.js';

/** A class with the network's confidence in it. */
export interface Prediction {
  /** Name of the class. */
  readonly className: string;
  /** Position in the parameter `classes`, counted from 0. */
  readonly classId: number;
  /** Softmax of the network's output, 0..1. */
  readonly confidence: number;
}

/** What a classifier says about images. It holds memory on the server until it is cleared, or expires unused. */
export class ApplyResult extends Handle {
  /** Number of images classified. */
  readonly imageCount: number;

  constructor(connection: Connection, response: ApplyClassifierResponse) {
    super(connection, response.result);
    this.imageCount = response.imageCount;
  }

  /** The best class of each image, in the order of the images. */
  all(options: RepeatableCallOptions = {}): Promise<Prediction[]> {
    return this.#get({ $case: 'all', value: true }, options);
  }

  /**
   * All classes of one image by falling confidence.
   *
   * @param index position of the image in its call, counted from 0; outside is refused (WrongValueError)
   */
  image(index: number, options: RepeatableCallOptions = {}): Promise<Prediction[]> {
    if (!Number.isInteger(index)) throw new RangeError(`image ${index}: give an integer from 0`);
    return this.#get({ $case: 'image', value: index }, options);
  }

  /** Frees the result on the server. Repeated calls do nothing. */
  override clear(options: CallOptions = {}): Promise<void> {
    return this.clearOnce(() => this.connection.unary(service.clearResult, { results: [this.handle] }, options));
  }

  async #get(index: GetResultRequest['index'], options: RepeatableCallOptions): Promise<Prediction[]> {
    const names = ['predicted_classes', 'predicted_class_ids', 'confidences'];
    const request = { result: this.handle, index, names };
    const response = await repeatable(options, () => this.connection.unary(service.getResult, request, options));
    const values = decodeValues(response.results, () => true);
    const [classNames, classIds, confidences] = names.map((name) => values[name] as (string | number)[]);
    return (classNames ?? []).map((className, position) => ({
      className: String(className),
      classId: Number(classIds?.[position]),
      confidence: Number(confidences?.[position]),
    }));
  }
}
