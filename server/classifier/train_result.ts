import type { StepResult } from '../../native/binding.js';
import { refuse } from '../errors/refusal.js';
import type { Assignment } from '../parameters/registry.js';
import type { Value } from '../parameters/value.js';

/** What is known of a training step that was applied. */
export interface TrainResult extends StepResult {
  /** Steps applied, this one included. */
  readonly step: number;
  /** That the step was made with. */
  readonly learningRate: number;
  /** From the first message of the call to its commit. */
  readonly uploadSeconds: number;
  /** From the commit to the start of the step, decoding and the wait for other calls included. */
  readonly waitSeconds: number;
}

/** A value of a result, with its documentation. */
interface ResultDefinition {
  readonly name: string;
  readonly documentation: string;
  readonly get: (result: TrainResult) => Value;
}

/** What GetTrainResult tells. Times are in seconds. */
export const trainResults: readonly ResultDefinition[] = [
  { name: 'loss', documentation: 'Total loss of the batch before the update, L = L_mn + E.', get: (r) => r.loss },
  {
    name: 'loss_multinomial_logistic',
    documentation: 'L_mn = -1/N * sum over the N images of c * log of the confidence of the true class, c being its class weight.',
    get: (r) => r.lossMultinomialLogistic,
  },
  { name: 'loss_regularization', documentation: 'E = (weight_prior / 2) * sum of w^2.', get: (r) => r.lossRegularization },
  { name: 'step', documentation: 'Steps applied, this one included.', get: (r) => BigInt(r.step) },
  { name: 'learning_rate', documentation: 'The one that the step was made with.', get: (r) => r.learningRate },
  {
    name: 'gradient_norm',
    documentation: 'Euclidean norm of dL/dw over all values that are not frozen, before it was shortened.',
    get: (r) => r.gradientNorm,
  },
  { name: 'top1_error', documentation: 'Share of the batch that was classified wrongly before the update, 0..1.', get: (r) => r.top1Error },
  { name: 'time_upload', documentation: 'From the first message of the call to its commit.', get: (r) => r.uploadSeconds },
  {
    name: 'time_queue',
    documentation: 'From the commit to the start of the step: decoding and the wait for other calls.',
    get: (r) => r.waitSeconds + r.queueSeconds,
  },
  { name: 'time_forward', documentation: 'Forward pass.', get: (r) => r.forwardSeconds },
  { name: 'time_backward', documentation: 'Backward pass.', get: (r) => r.backwardSeconds },
  { name: 'time_update', documentation: 'Update of the weights.', get: (r) => r.updateSeconds },
  {
    name: 'time_total',
    documentation: 'All of these together.',
    get: (r) => r.uploadSeconds + r.waitSeconds + r.queueSeconds + r.forwardSeconds + r.backwardSeconds + r.updateSeconds,
  },
];

const DEFAULT_NAMES = ['loss'];

const byName: ReadonlyMap<string, ResultDefinition> = new Map(trainResults.map((definition) => [definition.name, definition]));

/** @throws Refusal UNKNOWN_PARAMETER */
export function readTrainResult(result: TrainResult, names: readonly string[]): Assignment[] {
  return (names.length > 0 ? names : DEFAULT_NAMES).map((name) => {
    const definition = byName.get(name);
    if (definition === undefined) {
      throw refuse('UNKNOWN_PARAMETER', { name, problem: `there is no such train result; there are ${[...byName.keys()].join(', ')}` });
    }
    return { name, values: [definition.get(result)] };
  });
}
