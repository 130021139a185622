import {
  type Engine,
  engineBinding,
  type ImageBatch,
  type InputSize,
  type Model,
  type NetworkGraph,
  type Precision,
  type StepResult,
  type Tensor,
  type TrainOptions,
} from '../../native/index.js';
import type { LabelledPixels, TorchReference, TorchRun } from './torch_reference.js';

/** uint8 pixels as the engine reads them; the caller closes the buffer. */
export function stagedBatch({ pixels, labels }: LabelledPixels): ImageBatch {
  const buffer = new (engineBinding().StagingBuffer)(pixels.byteLength);
  buffer.write(0, pixels);
  return { buffer, format: 'uint8', count: labels.length };
}

/** The engine's options that say the same as a run of PyTorch, for one step. */
export function engineOptions(run: TorchRun, count: number, step: number, precision: Precision = 'float32'): TrainOptions {
  return {
    batchSize: count / run.sub_batches,
    batchSizeMultiplier: run.sub_batches,
    precision,
    deterministic: true,
    frozenLayers: run.frozen_layers,
    learningRate: run.learning_rates[step] ?? Number.NaN,
    momentum: run.momentum,
    weightPrior: run.weight_prior,
    weightDecay: run.weight_decay,
    adamBeta1: run.betas[0],
    adamBeta2: run.betas[1],
    adamEpsilon: run.epsilon,
    maxGradientNorm: run.max_gradient_norm,
    classWeights: run.class_weights,
    step,
  };
}

/** One step of the engine on labelled pixels. */
export async function trainStep(model: Model, images: LabelledPixels, options: TrainOptions): Promise<StepResult> {
  const batch = stagedBatch(images);
  try {
    return await model.train(batch, images.labels, options);
  } finally {
    batch.buffer.close();
  }
}

export interface GradientStep {
  readonly result: StepResult;
  /** dL/dw of each trained tensor. */
  readonly gradient: ReadonlyMap<string, Float32Array>;
}

/** The gradient at `tensors`: with learning rate 1 and momentum 0 a step makes each momentum tensor exactly -dL/dw. Leaves the model changed. */
export async function gradientStep(
  model: Model,
  tensors: readonly Tensor[],
  images: LabelledPixels,
  options: TrainOptions,
): Promise<GradientStep> {
  await model.restore(tensors);
  const result = await trainStep(model, images, { ...options, learningRate: 1, momentum: 0 });
  const momentum = (await model.snapshot()).filter(({ role }) => role === 'momentum');
  return { result, gradient: new Map(momentum.map(({ name, data }) => [name, data.map((value) => -value)])) };
}

/** Trains a fresh model from the reference's weights on its images as `run` says; the losses L of all steps and the model's tensors after them. */
export async function trainLike(
  engine: Engine,
  graph: NetworkGraph,
  input: InputSize,
  reference: TorchReference,
  run: TorchRun,
  precision: Precision = 'float32',
): Promise<{ readonly losses: number[]; readonly gradientNorms: number[]; readonly tensors: readonly Tensor[] }> {
  const model = new (engineBinding().Model)(engine, graph, input, 1n);
  await model.setSolver(run.rule === 'adam' ? 'adam' : 'sgd');
  await model.restore(reference.initialTensors(model));
  const losses: number[] = [];
  const gradientNorms: number[] = [];
  for (const step of run.learning_rates.keys()) {
    const images = reference.batch(step);
    const { loss, gradientNorm } = await trainStep(model, images, engineOptions(run, images.labels.length, step, precision));
    losses.push(loss);
    gradientNorms.push(gradientNorm);
  }
  const tensors = await model.snapshot();
  await model.close();
  return { losses, gradientNorms, tensors };
}
