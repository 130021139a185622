import { type ParameterDefinition, parameter } from './definition.js';

/** The training rule: v <- momentum * v - learning_rate * dL/dw; w <- w + v; L has the term (weight_prior / 2) * sum of w^2. */
export const solverParameters: readonly ParameterDefinition[] = [
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
    documentation: 'Part of the last update that enters the next.',
    get: ({ settings }) => [settings.momentum],
    admits: (value) => value >= 0 && value < 1,
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
      'Regularisation: adds (weight_prior / 2) * sum of w^2 over all weights to the loss. Biases and the scale and shift of batch norms are excluded.',
    get: ({ settings }) => [settings.weightPrior],
    admits: (value) => value >= 0 && Number.isFinite(value),
    set: (draft, [value]) => {
      draft.weightPrior = value ?? draft.weightPrior;
    },
  }),
];
