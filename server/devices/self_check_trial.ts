import type { Precision, Solver, StagingBuffer, Tensor, TrainOptions } from '../../native/binding.js';
import { engineBinding } from '../../native/index.js';
import type { Device } from './device.js';
import { CHANNELS, CLASSES, SIZE, selfCheckNetwork } from './self_check_network.js';

/** Sub-batches of a step: the first, one between and the last are different work on a GPU. */
const MULTIPLIER = 3;
const BATCH_SIZE = 4;
const IMAGES = MULTIPLIER * BATCH_SIZE;
const VALUES = IMAGES * SIZE * SIZE * CHANNELS;

/** A GPU does a step operation by operation at first, records it the second time, and repeats the record from then on. */
const STEPS = 3;

const SEED = 7n;

export interface Trial {
  readonly precision: Precision;
  readonly solver: Solver;
  readonly deterministic: boolean;
}

/** What came of a trial. */
export interface Outcome {
  /** Of each step. */
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
  /** (images, classes), with the weights that the steps left. */
  readonly confidences: Float32Array;
  readonly before: readonly Tensor[];
  readonly after: readonly Tensor[];
}

/**
 * Trains a small network for some steps and applies it.
 *
 * @param weights to begin with; null: fresh ones from a seed
 */
export async function runTrial(
  device: Device,
  { precision, solver, deterministic }: Trial,
  weights: readonly Tensor[] | null,
): Promise<Outcome> {
  const model = device.makeModel(selfCheckNetwork, { channels: CHANNELS, height: SIZE, width: SIZE }, SEED);
  const { bytes, floats } = pixels();
  try {
    await model.setSolver(solver);
    if (weights !== null) await model.restore(weights);
    const before = await model.snapshot();
    const plan = { batchSize: BATCH_SIZE, precision, deterministic, frozenLayers: [] };
    const losses: number[] = [];
    const gradientNorms: number[] = [];
    for (let step = 0; step < STEPS; step++) {
      const batch = { buffer: bytes, format: 'uint8', count: IMAGES } as const;
      const stepped = model.train(batch, labels(step), { ...plan, ...RULE, step });
      // The next step's pixels are those of this one: a GPU fetches them meanwhile.
      model.announce(batch);
      const { loss, gradientNorm } = await stepped;
      losses.push(loss);
      gradientNorms.push(gradientNorm);
    }
    const confidences = await model.apply({ buffer: floats, format: 'float32', count: IMAGES - 1 }, plan);
    return { losses, gradientNorms, confidences, before, after: await model.snapshot() };
  } finally {
    bytes.close();
    floats.close();
    await model.close();
  }
}

const RULE: Omit<TrainOptions, 'batchSize' | 'precision' | 'deterministic' | 'frozenLayers' | 'step'> = {
  batchSizeMultiplier: MULTIPLIER,
  learningRate: 0.02,
  momentum: 0.9,
  weightPrior: 0.001,
  weightDecay: 0.01,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  maxGradientNorm: 1,
  classWeights: [1, 2, 0.5, 1],
};

/** The same images as bytes and as numbers, of no pattern that a network could mistake for another. */
function pixels(): { readonly bytes: StagingBuffer; readonly floats: StagingBuffer } {
  const { StagingBuffer } = engineBinding();
  const values = new Uint8Array(VALUES);
  let state = 1;
  for (let index = 0; index < VALUES; index++) {
    // Lehmer's generator, as MINSTD has it.
    state = (state * 48_271) % 2_147_483_647;
    values[index] = state >>> 8;
  }
  const numbers = Float32Array.from(values, (value) => value - 127);
  const bytes = new StagingBuffer(values.byteLength);
  const floats = new StagingBuffer(numbers.byteLength);
  bytes.write(0, values);
  floats.write(0, new Uint8Array(numbers.buffer));
  return { bytes, floats };
}

function labels(step: number): Int32Array {
  return Int32Array.from({ length: IMAGES }, (_, image) => (image + step) % CLASSES);
}
