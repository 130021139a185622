import type { PlanOptions, TrainOptions } from '../native/index.js';

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
    deterministic: true,
    frozenLayers: [],
    batchSizeMultiplier: 1,
    weightDecay: 0,
    adamBeta1: 0.9,
    adamBeta2: 0.999,
    adamEpsilon: 1e-8,
    maxGradientNorm: 0,
    classWeights: [],
  };
}
