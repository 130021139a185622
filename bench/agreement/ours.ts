import { type Engine, engineBinding, type Model, type Precision, type Tensor, type TrainOptions } from '../../native/index.js';
import { matchTensors } from '../../server/classifier/stored_tensors.js';
import type { Batches } from '../photographs.js';
import { relativeError } from '../relative_error.js';
import { sgdOptions } from '../sgd_options.js';
import type { TensorFile } from '../tensor_file.js';
import { type AgreementCase, IMAGES, LEARNING_RATE, MOMENTUM, SIZE, START_BATCHES } from './case.js';
import type { Distances } from './distances.js';

/** What the truth is read from, batch by batch: all gradients together are gigabytes. */
export interface Truth {
  /** In float64, at the initial weights. */
  ofBatch(batch: number): Promise<BatchTruth>;
}

export interface BatchTruth {
  readonly logConfidences: ArrayLike<number>;
  readonly gradient: TensorFile;
}

/** How far the engine is from the truth in one precision. */
export async function measureOurs(
  engine: Engine,
  { graph, network, steps }: AgreementCase,
  precision: Precision,
  initial: TensorFile,
  batches: Batches,
  truth: Truth,
): Promise<Distances> {
  const model = new (engineBinding().Model)(engine, graph, { channels: 3, height: SIZE, width: SIZE }, 1n);
  const tensors = initialTensors(model, initial);
  const options = sgdOptions({
    ...{ batchSize: IMAGES, precision, step: 0 },
    ...{ learningRate: LEARNING_RATE, momentum: MOMENTUM, weightPrior: network.defaultWeightPrior },
  });
  const logits: number[] = [];
  const gradients: Map<string, number>[] = [];
  const afterOneStep: number[] = [];
  for (let index = 0; index < START_BATCHES; index++) {
    const wanted = await truth.ofBatch(index);
    await model.restore(tensors);
    const confidences = await withBatch(batches, index, (batch) => model.apply(batch, options));
    logits.push(relativeError(Float64Array.from(confidences, Math.log), wanted.logConfidences));
    // With learning rate 1, momentum 0 and no prior a step makes each momentum tensor exactly -dL/dw.
    await trainStep(model, batches, index, { ...options, learningRate: 1, momentum: 0, weightPrior: 0 });
    const negative = new Map((await model.snapshot()).filter(({ role }) => role === 'momentum').map(({ name, data }) => [name, data]));
    gradients.push(new Map([...wanted.gradient].map(([name, { data }]) => [name, relativeError(negated(negative.get(name)), data)])));
    await model.restore(tensors);
    // There is no update before this one whose momentum could count.
    await trainStep(model, batches, index, { ...options, momentum: 0 });
    afterOneStep.push(await trainStep(model, batches, index + 1, options));
  }
  await model.close();

  const trained = new (engineBinding().Model)(engine, graph, { channels: 3, height: SIZE, width: SIZE }, 1n);
  await trained.restore(tensors);
  const training: number[] = [];
  // The loss after 50 steps is that of the 51st.
  for (let step = 0; steps > 0 && step <= steps; step++) training.push(await trainStep(trained, batches, step, { ...options, step }));
  await trained.close();
  return { logits, gradients, losses: { afterOneStep, training } };
}

function negated(values: Float32Array = new Float32Array()): Float32Array {
  return values.map((value) => -value);
}

function initialTensors(model: Model, initial: TensorFile): Tensor[] {
  const stored = [...initial].map(([name, { shape, data }]) => ({ name, shape, data: Float32Array.from(data) }));
  const tensors = matchTensors(model.tensors, stored, 'weights');
  if (typeof tensors === 'string') throw new Error(tensors);
  return tensors;
}

/** The loss of one step. */
async function trainStep(model: Model, batches: Batches, step: number, options: TrainOptions): Promise<number> {
  const labels = batches.labels.subarray(step * batches.images, (step + 1) * batches.images);
  return (await withBatch(batches, step, (batch) => model.train(batch, labels, options))).loss;
}

async function withBatch<Result>(
  { pixels, images, steps }: Batches,
  step: number,
  task: (batch: Parameters<Model['apply']>[0]) => Promise<Result>,
) {
  const bytes = pixels.length / steps;
  const buffer = new (engineBinding().StagingBuffer)(bytes);
  try {
    buffer.write(0, pixels.subarray(step * bytes, (step + 1) * bytes));
    return await task({ buffer, format: 'uint8', count: images });
  } finally {
    buffer.close();
  }
}
