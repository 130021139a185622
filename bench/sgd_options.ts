import type { PlanOptions, TrainOptions } from '../native/index.js';

/** What a step of plain SGD does not use. */
export const PLAIN_TRAINING = {
  weightDecay: 0,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  maxGradientNorm: 0,
  classWeights: [],
} as const satisfies Partial<TrainOptions>;

/** What both sides of a comparison are trained with. */
export interface SgdOptions extends Pick<PlanOptions, 'batchSize' | 'precision'> {
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightPrior: number;
  readonly step: number;
}

/** The engine's options for plain SGD with momentum, one sub-batch, repeatable bit for bit. */
export function sgdOptions(options: SgdOptions): TrainOptions {
  return {
    ...options,
    ...PLAIN_TRAINING,
    deterministic: true,
    frozenLayers: [],
    batchSizeMultiplier: 1,
  };
}
