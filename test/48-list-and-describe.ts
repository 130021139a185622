import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { call } from './support/calls.js';
import { noiseBatch, readCompact } from './support/classifier.js';
import type { WireContext } from './support/wire.js';
import { getParams, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire(['--max-classifiers', '5']);

async function clearAll({ client }: WireContext, classifiers: string[]): Promise<void> {
  await call(client, 'clearClassifier', { classifiers });
}

test.serial('what is open is listed without its handle, oldest first', async (t) => {
  const { client } = t.context;
  const compact = await readCompact(client);
  const { classifier: resnet18 } = await call(client, 'readClassifier', { fileName: 'resnet18', pretrained: false, seed: undefined });
  await train(client, compact);
  const { open } = await call(client, 'listClassifiers', {});
  t.deepEqual(
    open.map(({ type, state, step, runtime, deviceIndex }) => [type, state, step, runtime, deviceIndex]),
    [
      ['compact', 'ready', 1n, 'cpu', 0],
      ['resnet18', 'fresh', 0n, 'cpu', 0],
    ],
  );
  const [first] = open;
  t.true(first?.created !== undefined && first.lastUsed !== undefined && first.created <= first.lastUsed);
  t.true(Number(first?.memoryBytes) > 440_000 * 4);
  const text = JSON.stringify(open, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  t.false(text.includes(compact) || text.includes(resnet18));
  await clearAll(t.context, [compact, resnet18]);
  t.deepEqual((await call(client, 'listClassifiers', {})).open, []);
});

test.serial('what is stored is listed by name, what cannot be read with the reason', async (t) => {
  const { client, daemon } = t.context;
  const classifier = await readCompact(client);
  await train(client, classifier);
  const { sizeBytes } = await call(client, 'writeClassifier', { classifier, fileName: 'good' });
  await writeFile(join(daemon.models, 'bad.safetensors'), 'no classifier');
  const { stored } = await call(client, 'listClassifiers', {});
  t.deepEqual(
    stored.map((one) => [one.fileName, one.type, one.classCount, one.step, one.sizeBytes]),
    [
      ['bad.safetensors', '', 0, 0n, 13n],
      ['good.safetensors', 'compact', 3, 1n, sizeBytes],
    ],
  );
  t.regex(stored[0]?.problem ?? '', /is no file that this service reads: its header claims/);
  t.is(stored[1]?.problem, '');
  t.true(Math.abs(Number(stored[1]?.modified) - Date.now()) < 3_600_000);
  await clearAll(t.context, [classifier]);
});

test.serial('the layers of compact are described with their shapes', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client, { size: 28 });
  const { type, state, layers, parameterCount } = await call(client, 'describeClassifier', { classifier });
  t.is(type, 'compact');
  t.is(state, 'ready');
  const convolutions = layers.filter(({ kind }) => kind === 'convolution');
  t.deepEqual(
    convolutions.map(({ outputShape }) => outputShape),
    [
      [16, 28, 28],
      [32, 14, 14],
      [32, 14, 14],
      [64, 7, 7],
      [64, 7, 7],
      [128, 4, 4],
      [128, 4, 4],
      [128, 2, 2],
      [3, 2, 2],
    ],
  );
  t.deepEqual(convolutions[0]?.inputs, ['input']);
  t.is(convolutions[0]?.parameterCount, BigInt(16 * 3 * 9));
  t.is(
    layers.reduce((sum, layer) => sum + layer.parameterCount, 0n),
    parameterCount,
  );
  t.deepEqual(await getParams(client, classifier, 'num_trainable_params'), { num_trainable_params: [parameterCount] });
  await clearAll(t.context, [classifier]);
});

test.serial('the memory is told before it is taken, and is what is taken', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client, { size: 64, batchSize: 4 });
  const { memory } = await call(client, 'describeClassifier', { classifier });
  // Weights, statistics and momentum in float32.
  const values = Number((await getParams(client, classifier, 'num_trainable_params')).num_trainable_params?.[0]);
  t.true(Number(memory?.parametersBytes) >= 2 * 4 * values);
  await train(client, classifier, noiseBatch({ size: 64, batchSize: 4 }));
  const { open } = await call(client, 'listClassifiers', {});
  t.is(open[0]?.memoryBytes, (memory?.parametersBytes ?? 0n) + (memory?.trainingBytes ?? 0n));
  await clearAll(t.context, [classifier]);
});

test.serial('the server tells its version, devices, limits and networks', async (t) => {
  const { version, devices, limits, networks } = await call(t.context.client, 'getServerInfo', {});
  t.regex(version, /^\d+\.\d+\.\d+/);
  const cpu = devices.find(({ runtime }) => runtime === 'cpu');
  t.true(cpu?.usable);
  t.is(cpu?.problem, '');
  t.true((cpu?.threads ?? 0) >= 1);
  t.true(cpu?.libraries.some((library) => library.startsWith('oneDNN ')));
  for (const device of devices.filter(({ runtime }) => runtime === 'gpu')) t.true(device.usable || device.problem !== '');
  t.is(limits?.classifiers, 5);
  t.deepEqual(
    networks.map(({ name, minSize, defaultSize, defaultBatchSize, resizeKeepsWeights }) => [
      name,
      minSize,
      defaultSize,
      defaultBatchSize,
      resizeKeepsWeights,
    ]),
    [
      ['alexnet', 29, 224, 230, false],
      ['compact', 15, 224, 160, true],
      ['enhanced', 47, 224, 96, false],
      ['mobilenet_v2', 32, 224, 40, true],
      ['resnet18', 32, 224, 24, true],
      ['resnet50', 32, 224, 23, true],
    ],
  );
});
