import { type Engine, engineBinding, type Model, type Precision, type Tensor, type TrainOptions } from '../../native/index.js';
import { matchTensors } from '../../server/classifier/stored_tensors.js';
import type { Batches } from '../photographs.js';
import { relativeError } from '../relative_error.js';
import { sgdOptions } from '../sgd_options.js';
import type { TensorFile } from '../tensor_file.js';
import { type AgreementCase, IMAGES, LEARNING_RATE, MOMENTUM, SIZE } from './case.js';
import type { Distances } from './distances.js';

/** What the truth is read from, piece by piece: all gradients together are gigabytes. */
export interface Truth {
  /** Of the first batch, in float64. */
  readonly logConfidences: ArrayLike<number>;
  /** Of a batch at the initial weights, in float64. */
  gradient(batch: number): Promise<TensorFile>;
  /** How many batches have gradients. */
  readonly gradientBatches: number;
}

/** How far the engine is from the truth in one precision, and its own losses. */
export async function measureOurs(
  engine: Engine,
  { graph, network }: AgreementCase,
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
  await model.restore(tensors);
  const confidences = await withBatch(batches, 0, (batch) => model.apply(batch, options));
  const logits = relativeError(Float64Array.from(confidences, Math.log), truth.logConfidences);

  const gradients: Map<string, number>[] = [];
  for (let index = 0; index < truth.gradientBatches; index++) {
    await model.restore(tensors);
    // With learning rate 1, momentum 0 and no prior a step makes each momentum tensor exactly -dL/dw.
    await trainStep(model, batches, index, { ...options, learningRate: 1, momentum: 0, weightPrior: 0 });
    const negative = new Map((await model.snapshot()).filter(({ role }) => role === 'momentum').map(({ name, data }) => [name, data]));
    const wanted = await truth.gradient(index);
    gradients.push(
      new Map(
        [...wanted].map(([name, { data }]) => [
          name,
          relativeError(
            (negative.get(name) ?? new Float32Array()).map((g) => -g),
            data,
          ),
        ]),
      ),
    );
  }
  await model.close();

  const trained = new (engineBinding().Model)(engine, graph, { channels: 3, height: SIZE, width: SIZE }, 1n);
  await trained.restore(tensors);
  const losses: number[] = [];
  for (let step = 0; step < batches.steps; step++) losses.push(await trainStep(trained, batches, step, { ...options, step }));
  await trained.close();
  return { logits, gradients, losses };
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
