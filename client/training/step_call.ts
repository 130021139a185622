import type { Augmentation } from '../../generated/dlclassifier/v1/augmentation.js';
import { type TrainBatchHeader, TrainBatchRequest, type TrainBatchResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { Label as WireLabel } from '../../generated/dlclassifier/v1/image.js';
import type { NamedValues } from '../../generated/dlclassifier/v1/param.js';
import type { ImagePayload } from '../images/payload.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { send } from '../upload/send.js';
import { unsigned64 } from '../upload/unsigned.js';

/** The class of an image: its name, or its position in the parameter `classes`, counted from 0. */
export type Label = string | number;

/** One training step as it is sent; sent again with the same `requestId` it is applied once. */
export interface StepCall {
  readonly classifier: string;
  readonly payload: ImagePayload;
  readonly labels: readonly WireLabel[];
  readonly requestId: string;
  /** The step that the classifier must be at; undefined where any will do. */
  readonly expectedStep: number | undefined;
  /** Parameters to set right before the step. */
  readonly params: readonly NamedValues[];
  readonly augmentation: Augmentation | undefined;
}

export function stepHeader(step: StepCall): TrainBatchHeader {
  return {
    classifier: step.classifier,
    images: step.payload.images,
    labels: [...step.labels],
    requestId: step.requestId,
    expectedStep: step.expectedStep === undefined ? undefined : unsigned64(step.expectedStep, 'expectedStep'),
    params: [...step.params],
    augmentation: step.augmentation,
  };
}

export function sendStep(connection: Connection, step: StepCall, options: CallOptions): Promise<TrainBatchResponse> {
  const upload = {
    method: service.trainBatch,
    header: stepHeader(step),
    body: step.payload.body,
    message: (fields: Pick<TrainBatchRequest, 'header' | 'commit'>): TrainBatchRequest => TrainBatchRequest.fromPartial(fields),
  };
  return send(connection, upload, options);
}

export function encodeLabels(labels: ArrayLike<Label>): WireLabel[] {
  return Array.from(labels, (label, image) => {
    if (typeof label === 'string') return { label: { $case: 'name', value: label } };
    if (!Number.isInteger(label) || Math.abs(label) >= 2 ** 31)
      throw new TypeError(`label ${image} is ${label}: give a name or an integer`);
    return { label: { $case: 'index', value: label } };
  });
}
