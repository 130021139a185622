import type { Solver } from '../../native/binding.js';
import { type ParameterDefinition, parameter } from './definition.js';

/**
 * The training rule, g being dL/dw, shortened to max_gradient_norm where it is longer; L has the term (weight_prior / 2) * sum of w^2.
 *   sgd:  v <- momentum * v - learning_rate * g;  w <- w + v - learning_rate * weight_decay * w
 *   adam: m <- beta1 * m + (1 - beta1) * g;  v <- beta2 * v + (1 - beta2) * g^2;
 *         w <- w - learning_rate * (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + weight_decay * w)
 */
export const solverParameters: readonly ParameterDefinition[] = [
  parameter({
    name: 'solver_type',
    type: 'string',
    range: "'sgd' or 'adam'",
    default: "'sgd'",
    reinitializes: 'Another solver than the present one begins with momentum or moments of 0 in all layers; no weight changes.',
    documentation:
      "'sgd': with momentum. 'adam': Kingma and Ba, with bias correction; with weight_decay it is AdamW. It keeps two values for each weight " +
      'where sgd keeps one: DescribeClassifier counts them.',
    get: ({ settings }) => [settings.solverType],
    admits: (value) => value === 'sgd' || value === 'adam',
    set: (draft, [value]) => {
      draft.solverType = value as Solver;
    },
  }),
  parameter({
    name: 'learning_rate',
    type: 'real',
    range: 'a finite number > 0',
    default: '0.001',
    documentation: 'Factor of the gradient in the update. It multiplies the gradient before it enters the momentum.',
    get: ({ settings }) => [settings.learningRate],
    admits: (value) => value > 0 && Number.isFinite(value),
    set: (draft, [value]) => {
      draft.learningRate = value ?? draft.learningRate;
    },
  }),
  parameter({
    name: 'momentum',
    type: 'real',
    range: 'a number in [0, 1)',
    default: '0.9',
    documentation: 'Part of the last update that enters the next. sgd only.',
    get: ({ settings }) => [settings.momentum],
    admits: isShare,
    set: (draft, [value]) => {
      draft.momentum = value ?? draft.momentum;
    },
  }),
  parameter({
    name: 'weight_prior',
    type: 'real',
    range: 'a finite number >= 0',
    default: "the network's",
    documentation:
      'Regularisation: adds (weight_prior / 2) * sum of w^2 over all weights to the loss, and so weight_prior * w to the gradient that the solver ' +
      'sees. Biases and the scale and shift of batch norms are excluded.',
    get: ({ settings }) => [settings.weightPrior],
    admits: (value) => value >= 0 && Number.isFinite(value),
    set: (draft, [value]) => {
      draft.weightPrior = value ?? draft.weightPrior;
    },
  }),
  parameter({
    name: 'weight_decay',
    type: 'real',
    range: 'a finite number >= 0',
    default: '0',
    documentation:
      'Decoupled weight decay (Loshchilov and Hutter): each step takes learning_rate * weight_decay * w from each weight, beside the gradient. ' +
      'It is no part of the loss, of momentum or moments, or of gradient_norm. With adam it differs from weight_prior, which the moments ' +
      'divide out; use one of the two. Biases and the scale and shift of batch norms are excluded.',
    get: ({ settings }) => [settings.weightDecay],
    admits: (value) => value >= 0 && Number.isFinite(value),
    set: (draft, [value]) => {
      draft.weightDecay = value ?? draft.weightDecay;
    },
  }),
  parameter({
    name: 'adam_beta1',
    type: 'real',
    range: 'a number in [0, 1)',
    default: '0.9',
    documentation: 'Part of the first moment that remains at each step. adam only, as are the next two; a change leaves the moments.',
    get: ({ settings }) => [settings.adamBeta1],
    admits: isShare,
    set: (draft, [value]) => {
      draft.adamBeta1 = value ?? draft.adamBeta1;
    },
  }),
  parameter({
    name: 'adam_beta2',
    type: 'real',
    range: 'a number in [0, 1)',
    default: '0.999',
    documentation: 'Part of the second moment that remains at each step.',
    get: ({ settings }) => [settings.adamBeta2],
    admits: isShare,
    set: (draft, [value]) => {
      draft.adamBeta2 = value ?? draft.adamBeta2;
    },
  }),
  parameter({
    name: 'adam_epsilon',
    type: 'real',
    range: 'a finite number >= 1e-15',
    default: '1e-8',
    documentation: 'Added to the root of the second moment before it divides the first.',
    get: ({ settings }) => [settings.adamEpsilon],
    admits: (value) => value >= 1e-15 && Number.isFinite(value),
    set: (draft, [value]) => {
      draft.adamEpsilon = value ?? draft.adamEpsilon;
    },
  }),
  parameter({
    name: 'max_gradient_norm',
    type: 'real',
    range: 'a finite number >= 0',
    default: '0',
    documentation:
      'Where dL/dw, the share of weight_prior included, is longer than this over all layers that train, the step is made with it shortened by ' +
      'max_gradient_norm / (norm + 1e-6), as clip_grad_norm_ of PyTorch does. 0: never. gradient_norm tells the length before.',
    get: ({ settings }) => [settings.maxGradientNorm],
    admits: (value) => value >= 0 && Number.isFinite(value),
    set: (draft, [value]) => {
      draft.maxGradientNorm = value ?? draft.maxGradientNorm;
    },
  }),
  parameter({
    name: 'batch_norm_momentum',
    type: 'real',
    range: 'a number in (0, 1]',
    default: "the network's, 0.1",
    documentation:
      "Weight of a sub-batch's mean and variance in the stored statistics of all batch norms: r <- (1 - batch_norm_momentum) * r + " +
      "batch_norm_momentum * the sub-batch's. No effect on networks without batch norm.",
    get: ({ settings }) => [settings.batchNormMomentum],
    admits: (value) => value > 0 && value <= 1,
    set: (draft, [value]) => {
      draft.batchNormMomentum = value ?? draft.batchNormMomentum;
    },
  }),
];

function isShare(value: number): boolean {
  return value >= 0 && value < 1;
}
