/** What the README says of adding a network: one file, one line, and it is served like the others. */
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { DlClassifierClient } from '../client/index.js';
import { startDaemon } from './support/daemon.js';

const REPOSITORY = fileURLToPath(new URL('../', import.meta.url));

/** LeCun et al. (1998), with ReLU and maxima. */
const FILE = `
import type { GraphOptions, NetworkDefinition } from './definition.js';
import { photographInput } from './input.js';
import { convolution, fullyConnected, maxPool, relu, square } from './layers.js';

export const lenet5: NetworkDefinition = {
  name: 'lenet5',
  description: 'LeNet-5, for images from 16 x 16',
  minSize: 16,
  defaultSize: 28,
  resizable: true,
  resizeKeepsWeights: false,
  defaultBatchSize: 12,
  defaultWeightPrior: 0.0002,
  defaultClassCount: 10,
  classLayer: 'fc3',
  pretrained: null,
  graph: ({ classes, channels }: GraphOptions) => ({
    layers: [
      photographInput(channels),
      convolution('conv1', 'input', 6, { kernel: 5, bias: true }),
      relu('relu1', 'conv1'),
      maxPool('pool1', 'relu1', { kernel: square(2), stride: 2, padding: 0 }),
      convolution('conv2', 'pool1', 16, { kernel: 5, padding: 0, bias: true }),
      relu('relu2', 'conv2'),
      maxPool('pool2', 'relu2', { kernel: square(2), stride: 2, padding: 0 }),
      fullyConnected('fc1', 'pool2', 120),
      relu('relu3', 'fc1'),
      fullyConnected('fc2', 'relu3', 84),
      relu('relu4', 'fc2'),
      fullyConnected('fc3', 'relu4', classes),
      { kind: 'softmax', name: 'softmax', input: 'fc3' },
    ],
  }),
};
`;
const LINE = `export { lenet5 } from './lenet5.js';\n`;

/** A copy of the server's sources with the network; all else is where it was. */
async function sourcesWithNetwork(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dl-classifier-sources-'));
  const copied = ['server', 'package.json'];
  for (const name of copied) await cp(join(REPOSITORY, name), join(folder, name), { recursive: true });
  for (const name of await readdir(REPOSITORY)) if (!copied.includes(name)) await symlink(join(REPOSITORY, name), join(folder, name));
  const networks = join(folder, 'server', 'networks');
  await writeFile(join(networks, 'lenet5.ts'), FILE);
  await writeFile(join(networks, 'all.ts'), (await readFile(join(networks, 'all.ts'), 'utf8')) + LINE);
  return folder;
}

test('a network of one file and one line has defaults, minimum, memory and shapes, learns, is stored, imported and exported', async (t) => {
  const sources = await sourcesWithNetwork();
  t.teardown(() => rm(sources, { recursive: true, force: true }));
  const daemon = await startDaemon([], {}, sources);
  t.teardown(() => daemon.stop());
  await using client = await DlClassifierClient.connect(daemon.address);
  t.true((await client.getServerInfo()).networks.some(({ name }) => name === 'lenet5'));

  await using classifier = await client.readClassifier('pretrained_dl_classifier_lenet5.hdl', { seed: 1 });
  t.deepEqual(await classifier.getParam(['type', 'batch_size', 'weight_prior', 'image_dimensions']), {
    type: 'lenet5',
    batch_size: 12,
    weight_prior: 0.0002,
    image_dimensions: [28, 28, 3],
  });
  await t.throwsAsync(classifier.setParam({ image_width: 15 }), { message: /16/, name: 'ImageSizeTooSmallError' });
  t.deepEqual(await classifier.setParam({ image_dimensions: [20, 16, 1] }), ['fc1', 'fc2', 'fc3']);
  t.deepEqual(await classifier.setParam({ classes: ['dark', 'bright'], batch_size: 2, learning_rate: 0.01 }), ['fc3']);
  t.is((await classifier.estimateMemory()).batchSize, 2);

  const pixels = Uint8Array.from({ length: 2 * 16 * 20 }, (_, index) => (index < 320 ? 40 : 210));
  const images = { data: pixels, shape: [2, 16, 20, 1] } as const;
  const losses: number[] = [];
  for (let step = 0; step < 20; step++) losses.push((await classifier.trainBatch(images, ['dark', 'bright'])).loss);
  t.true((losses.at(-1) ?? 1) < 0.5 * (losses[0] ?? 0), losses.join(' '));
  await using applied = await classifier.apply(images);
  t.deepEqual(
    (await applied.all()).map(({ className }) => className),
    ['dark', 'bright'],
  );

  await classifier.write('digits');
  await using again = await client.readClassifier('digits');
  t.is(await again.getParam('step'), 20);
  t.true((await classifier.exportOnnx()).length > 4 * (await classifier.describe()).parameterCount);
  await using fresh = await client.readClassifier('lenet5');
  const imported = await client.importWeights(await fresh.exportSafetensors(), 'lenet5', { name: 'imported', classes: ['dark', 'bright'] });
  t.deepEqual([imported.tensorCount, imported.reinitializedLayers], [8, ['fc3']]);
});
