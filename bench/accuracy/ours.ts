import { type LabelledImages, mirrorColumns, selectImages } from '../../client/index.js';
import { type Engine, engineBinding, type Model, type StagingBuffer, type Tensor } from '../../native/index.js';
import { resnet18 } from '../../server/networks/resnet18.js';
import { sgdOptions } from '../sgd_options.js';
import { RECIPE, type Schedule } from './recipe.js';

const APPLY_BATCH = 100;

export interface Trained {
  /** As the training began with. */
  readonly initial: readonly Tensor[];
  /** On the test images, 0..1. */
  readonly top1Error: number;
}

/** Trains resnet18 from fresh weights by the recipe and tells its error on images that it did not see. */
export async function trainOurs(
  engine: Engine,
  seed: number,
  { indices, mirrored, learningRates }: Schedule,
  training: LabelledImages,
  test: LabelledImages,
  classes: number,
): Promise<Trained> {
  const [, height, width] = training.images.shape;
  const graph = resnet18.graph({ classes, channels: 3, width, height });
  const model = new (engineBinding().Model)(engine, graph, { channels: 3, height, width }, BigInt(seed));
  const initial = (await model.snapshot()).filter(({ role }) => role !== 'momentum');
  const { batch, momentum, weightPrior } = RECIPE;
  for (const [step, learningRate] of learningRates.entries()) {
    const begin = step * batch;
    const { images, labels } = selectImages(training, [...indices.subarray(begin, begin + batch)]);
    let position = begin;
    mirrorColumns(images, () => mirrored[position++] === 1);
    await withBuffer(images.data, (buffer) =>
      model.train(
        { buffer, format: 'uint8', count: batch },
        Int32Array.from(labels),
        sgdOptions({ batchSize: batch, precision: 'float32', learningRate, momentum, weightPrior, step }),
      ),
    );
  }
  const top1Error = await errorOf(model, test);
  await model.close();
  return { initial, top1Error };
}

async function errorOf(model: Model, { images, labels }: LabelledImages): Promise<number> {
  const options = { batchSize: APPLY_BATCH, precision: 'float32', deterministic: true, frozenLayers: [] } as const;
  const confidences = await withBuffer(images.data, (buffer) => model.apply({ buffer, format: 'uint8', count: labels.length }, options));
  const classes = confidences.length / labels.length;
  const wrong = [...labels].filter((label, image) => {
    const ofImage = confidences.subarray(image * classes, (image + 1) * classes);
    return ofImage.indexOf(Math.max(...ofImage)) !== label;
  });
  return wrong.length / labels.length;
}

async function withBuffer<Result>(pixels: Uint8Array, task: (buffer: StagingBuffer) => Promise<Result>): Promise<Result> {
  const buffer = new (engineBinding().StagingBuffer)(pixels.length);
  try {
    buffer.write(0, pixels);
    return await task(buffer);
  } finally {
    buffer.close();
  }
}
