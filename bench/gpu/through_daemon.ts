import { type Classifier, DlClassifierClient, type PixelImage, type Precision, Random } from '../../client/index.js';
import { median } from '../median.js';
import { DaemonProcess } from '../wire/daemon_process.js';

export interface DaemonSteps {
  /** Index of the GPU. */
  readonly gpu: number;
  readonly network: string;
  readonly size: number;
  readonly batch: number;
  readonly precision: Precision;
  readonly steps: number;
}

/** One line of scripts/gpu's rows.jsonl. */
export interface DaemonRow {
  readonly side: 'daemon' | 'daemon, references';
  readonly network: string;
  readonly batch: number;
  readonly precision: Precision;
  readonly gpu: string;
  /** Of the whole stream: images from the client to the loss at the client. */
  readonly images_per_s: number;
  /** Of the device alone, in the same steps. */
  readonly device_images_per_s: number;
  readonly loss: number;
}

/** The first steps are not recorded by the GPU, and clocks rise. */
const WARM_UP = 5;

/** Different batches. */
const BATCHES = 4;

const CLASSES = Array.from({ length: 10 }, (_, index) => `class ${index}`);

/**
 * Trains on a GPU over gRPC, with pixels in each batch and with stored images, and takes the classifier to the CPU and back.
 *
 * @throws Error where the daemon does not use that GPU, or where a move changed a bit
 */
export async function trainThroughDaemon(run: DaemonSteps): Promise<DaemonRow[]> {
  await using daemon = await DaemonProcess.start(['--listen', '127.0.0.1:0', '--log-level', 'info']);
  await using client = await DlClassifierClient.connect(daemon.address, { connectTimeoutMs: 600_000 });
  const { devices } = await client.getServerInfo();
  const device = devices.find(({ runtime, index }) => runtime === 'gpu' && index === run.gpu);
  if (!device?.usable) throw new Error(device?.problem ?? `there is no GPU ${run.gpu}`);
  await using classifier = await client.readClassifier(run.network, { pretrained: false, seed: 1 });
  await classifier.setParam({
    ...{ runtime: 'gpu', gpu: run.gpu, precision: run.precision, classes: CLASSES },
    ...{ image_dimensions: [run.size, run.size, 3], batch_size: run.batch, learning_rate: 1e-4, runtime_init: 'immediately' },
  });
  const rows: DaemonRow[] = [];
  for (const references of ['never', 'always'] as const) {
    await train(classifier, run, WARM_UP, references);
    const measured = await train(classifier, run, run.steps, references);
    const side = references === 'never' ? 'daemon' : 'daemon, references';
    rows.push({ side, network: run.network, batch: run.batch, precision: run.precision, gpu: device.name, ...measured });
  }
  await expectMovesKeepBits(classifier, run);
  return rows;
}

async function train(classifier: Classifier, { batch, size }: DaemonSteps, steps: number, references: 'never' | 'always') {
  const batches = batchesOf(batch, size);
  const labels = Array.from({ length: batch }, (_, index) => index % CLASSES.length);
  function* source() {
    for (let step = 0; step < steps; step++) yield { images: batches[step % BATCHES] as readonly PixelImage[], labels };
  }
  const seconds: number[] = [];
  let lastLoss = Number.NaN;
  const began = performance.now();
  for await (const result of classifier.trainBatches(source(), { references })) {
    const times = await result.get(['time_forward', 'time_backward', 'time_update']);
    seconds.push(times.time_forward + times.time_backward + times.time_update);
    lastLoss = result.loss;
  }
  const images_per_s = (steps * batch) / ((performance.now() - began) / 1000);
  return { images_per_s, device_images_per_s: batch / median(seconds), loss: lastLoss };
}

function batchesOf(count: number, size: number): PixelImage[][] {
  const random = new Random(1);
  return Array.from({ length: BATCHES }, () =>
    Array.from({ length: count }, () => ({
      data: Uint8Array.from({ length: size * size * 3 }, () => random.below(256)),
      shape: [size, size, 3],
    })),
  );
}

async function expectMovesKeepBits(classifier: Classifier, { gpu, precision }: DaemonSteps): Promise<void> {
  const before = await tensorBytes(classifier);
  await classifier.setParam({ runtime: 'cpu', precision: 'float32', batch_size: 1 });
  const there = await tensorBytes(classifier);
  await classifier.setParam({ runtime: 'gpu', gpu, precision });
  const back = await tensorBytes(classifier);
  if (!there.equals(before) || !back.equals(before)) throw new Error('a move between GPU and CPU changed weights or state');
}

/** The part of a safetensors file behind its header. */
async function tensorBytes(classifier: Classifier): Promise<Buffer> {
  const bytes = await classifier.serialize();
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE()));
}
