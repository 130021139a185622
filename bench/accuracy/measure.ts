import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineBinding, type Tensor } from '../../native/index.js';
import { encodeHeader, type TensorEntry } from '../../server/store/safetensors.js';
import { loadPhotographs } from '../photographs.js';
import { runPythonScript } from '../python.js';
import type { Row } from '../result.js';
import { trainOurs } from './ours.js';
import { firstImages, RECIPE, SEEDS, schedule } from './recipe.js';
import { mean } from './statistics.js';

/** The top-1 errors of both programs, 0..1, one for each seed, in the details of the one row; the row itself has the means. */
export async function measureAccuracy(): Promise<Row> {
  const photographs = await loadPhotographs();
  const training = firstImages(photographs.training, RECIPE.trainingImages);
  const test = firstImages(photographs.test, RECIPE.testImages);
  const { classes } = photographs;
  const engine = new (engineBinding().Engine)({ gpu: null, threads: null, queueLength: 4 });
  const { threads } = engine.info;
  const folder = await mkdtemp(join(tmpdir(), 'accuracy-'));
  const [ours, peer]: [number[], number[]] = [[], []];
  try {
    const data = join(folder, 'data.safetensors');
    await writeTensors(data, [
      { name: 'labels', dtype: 'I64', shape: [training.labels.length], data: int64(training.labels) },
      { name: 'test_labels', dtype: 'I64', shape: [test.labels.length], data: int64(test.labels) },
      { name: 'pixels', dtype: 'U8', shape: training.images.shape, data: training.images.data },
      { name: 'test_pixels', dtype: 'U8', shape: test.images.shape, data: test.images.data },
    ]);
    for (const seed of SEEDS) {
      const steps = schedule(seed);
      const { initial, top1Error } = await trainOurs(engine, seed, steps, training, test, classes);
      ours.push(top1Error);
      const weights = join(folder, `${seed}.safetensors`);
      await writeTensors(weights, initial.map(tensorEntry));
      const { momentum, weightPrior: weight_prior } = RECIPE;
      const answer = (await runPythonScript('bench/peer/torch_accuracy.py', {
        ...{ data, weights, classes, momentum, weight_prior, threads, learning_rates: steps.learningRates },
        ...{ indices: inBatches(steps.indices), mirrored: inBatches(steps.mirrored) },
      })) as { top1_error: number };
      peer.push(answer.top1_error);
      console.error(`seed ${seed}: top-1 error ${percent(top1Error)}, PyTorch's ${percent(answer.top1_error)}`);
    }
  } finally {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  }
  const [ourMean, peerMean] = [mean(ours), mean(peer)];
  return { case: 'resnet18', ours: ourMean, peer: peerMean, ratio: ourMean / peerMean, unit: 'top-1 error', details: { ours, peer } };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** One array a step. */
function inBatches(values: Int32Array | Uint8Array): number[][] {
  const { batch } = RECIPE;
  return Array.from({ length: values.length / batch }, (_, step) => [...values.subarray(step * batch, (step + 1) * batch)]);
}

function int64(values: Uint8Array): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
}

function tensorEntry({ name, shape, data }: Tensor): TensorEntry {
  return { name, dtype: 'F32', shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

async function writeTensors(path: string, tensors: readonly TensorEntry[]): Promise<void> {
  await writeFile(path, Buffer.concat([encodeHeader(new Map(), tensors), ...tensors.map(({ data }) => data)]));
}
