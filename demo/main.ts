import { mkdir, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { DlClassifierClient, formatConfusionMatrix, measures } from '../client/index.js';
import { startOwnDaemon } from './daemon.js';
import { loadData } from './data.js';
import { classifySingly, evaluate } from './evaluation.js';
import { type DemoOptions, parseOptions } from './options.js';
import { LivePlot } from './plot.js';
import { Progress, type TrainingState } from './progress.js';
import { BATCH_SIZE, MOMENTUM, WEIGHT_PRIOR } from './recipe.js';
import { train } from './training.js';

/** Where a daemon of our own stores classifiers. */
const MODELS = 'models';
const SINGLE_IMAGES = 8;

const say = (line = ''): void => void process.stdout.write(`${line}\n`);

/** @returns the exit code */
async function demonstrate(options: DemoOptions, signal: AbortSignal): Promise<number> {
  const data = await loadData(options.data, say, signal);
  const [trainingCount, testCount] = [data.training.labels.length, data.test.labels.length];
  const [, height, width, channels] = data.training.images.shape;
  say(`${data.title}, ${width} x ${height}; ${trainingCount} to train on, ${testCount} to test with`);

  await using daemon = options.address === null ? await ownDaemon() : null;
  const address = daemon?.address ?? options.address ?? '';
  await using client = await DlClassifierClient.connect(address, { signal });
  const { version, devices } = await client.getServerInfo({ signal });
  const cpu = devices.find(({ usable }) => usable);
  say(`dl-classifierd ${version} at ${address}: ${cpu?.name}, ${cpu?.threads} threads, ${cpu?.libraries.join(', ')}`);

  await using classifier = await client.readClassifier('compact', { seed: options.seed, signal });
  await classifier.setParam(
    {
      classes: data.classes,
      image_dimensions: [width, height, channels === 1 ? 1 : 3],
      batch_size: BATCH_SIZE,
      momentum: MOMENTUM,
      weight_prior: WEIGHT_PRIOR,
      precision: options.precision,
    },
    { signal },
  );
  const parameterCount = await classifier.getParam('num_trainable_params', { signal });
  say(`compact with ${parameterCount} parameters, ${options.precision}, batches of ${BATCH_SIZE}, ${options.seconds} s of training`);
  say();
  const progress = new Progress(process.stdout);
  const plot = options.plot === null ? null : new LivePlot(options.plot, classifier, data, signal);
  const watch = async (state: TrainingState) => {
    progress.show(state);
    await plot?.show(state);
  };
  const report = await train(classifier, data, { seconds: options.seconds, seed: options.seed, signal, watch });
  progress.end();

  const matrix = await evaluate(classifier, data.test, data.classes, signal);
  const top1Error = measures(matrix).top1Error ?? 1;
  say();
  say(formatConfusionMatrix(matrix));
  say();
  say(`${report.steps} steps in ${report.seconds.toFixed(1)} s, ${Math.round(report.imagesPerSecond)} images/s`);
  say(`top-1 error ${(top1Error * 100).toFixed(2)} % on ${testCount} images that it was not trained on`);

  const stored = await classifier.write(options.data, { signal });
  say();
  say(`stored as ${stored.fileName}, ${stored.sizeBytes} bytes; read again and used for single images:`);
  await using reread = await client.readClassifier(stored.fileName, { signal });
  await reread.setParam('batch_size', 1, { signal });
  const indices = Array.from({ length: SINGLE_IMAGES }, (_, index) => Math.floor((index * testCount) / SINGLE_IMAGES));
  for (const line of await classifySingly(reread, data.test, indices, data.classes, signal)) say(line);

  if (options.json !== null) {
    const figures = {
      top1_error: top1Error,
      test_images: testCount,
      train_seconds: report.seconds,
      images_per_second: report.imagesPerSecond,
    };
    await writeFile(options.json, `${JSON.stringify(figures)}\n`);
  }
  if (options.maxError === null || top1Error < options.maxError) return 0;
  say(`FAILED: the top-1 error is not below ${options.maxError}`);
  return 1;
}

async function ownDaemon() {
  await mkdir(MODELS, { recursive: true });
  return await startOwnDaemon(MODELS);
}

const ended = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => {
    process.exitCode = 128 + constants.signals[name];
    ended.abort(new Error(`ended by ${name}`));
  });
}

try {
  const exitCode = await demonstrate(parseOptions(process.argv.slice(2)), ended.signal);
  process.exitCode ??= exitCode;
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : error}\n`);
  process.exitCode ??= 1;
}
