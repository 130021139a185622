import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import { type EstimateMemoryRequest, type EstimateMemoryResponse, MemoryPurpose } from '../../generated/dlclassifier/v1/memory.js';
import type { Connection } from '../transport/connection.js';
import { type RepeatableCallOptions, repeatable } from '../transport/retry.js';
import { unsigned64 } from '../upload/unsigned.js';
import { type WithNumbers, withNumbers } from './descriptions.js';
import type { ParameterSet } from './parameters.js';
import { namedValues } from './set_params.js';

export interface EstimateMemoryOptions extends RepeatableCallOptions {
  /** Parameters as `setParam` takes them; nothing is set. Those left out are as the classifier, or the network, has them. */
  readonly parameters?: ParameterSet | undefined;
  /** Number of classes, where the parameters do not name them. @default the classifier's, or what the network is trained for */
  readonly classCount?: number | undefined;
  /** What memory is asked for. @default 'training_and_applying', which is what the server demands of a batch size */
  readonly purpose?: keyof typeof PURPOSES | undefined;
  /** Bytes that the largest batch size shall fit into. @default what the server's limit leaves */
  readonly budgetBytes?: number | undefined;
}

/** Bytes at `batchSize`, and the largest batch size that fits into the budget (0 where not even 1 does). */
export type MemoryEstimate = WithNumbers<EstimateMemoryResponse>;

const PURPOSES = {
  training_and_applying: MemoryPurpose.MEMORY_PURPOSE_UNSPECIFIED,
  training: MemoryPurpose.MEMORY_PURPOSE_TRAINING,
  applying: MemoryPurpose.MEMORY_PURPOSE_APPLYING,
} as const;

export async function estimateMemory(
  connection: Connection,
  subject: NonNullable<EstimateMemoryRequest['subject']>,
  { parameters = {}, classCount, purpose = 'training_and_applying', budgetBytes, ...options }: EstimateMemoryOptions,
): Promise<MemoryEstimate> {
  const request: EstimateMemoryRequest = {
    subject,
    params: namedValues(parameters),
    classCount,
    purpose: PURPOSES[purpose],
    budgetBytes: budgetBytes === undefined ? undefined : unsigned64(budgetBytes, 'budgetBytes'),
  };
  return withNumbers(await repeatable(options, () => connection.unary(service.estimateMemory, request, options)));
}
