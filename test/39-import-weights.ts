/** ImportWeights: what is stored, what a last layer of other classes becomes, and that a refused call stores nothing. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { DlClassifierError, WeightsDoNotFitError } from '../client/index.js';
import { type ClientContext, testWithDaemon } from './support/client.js';
import { refusalOf } from './support/refusal_of.js';
import { differingTensors, tensorsIn } from './support/tensors_in.js';
import { constant, tensorFile } from './support/weight_files.js';

const test = testWithDaemon().serial;

/** Weights of resnet18 from the daemon itself, with the last layer of so many classes. */
async function weights({ client }: ClientContext, classCount: number, seed = 1): Promise<Buffer> {
  await using classifier = await client.readClassifier('resnet18', { pretrained: false, seed });
  const classes = Array.from({ length: classCount }, (_, index) => `class ${index}`);
  await classifier.setParam({ classes });
  return classifier.exportSafetensors();
}

async function exported(t: ExecutionContext<ClientContext>, name: string, seed?: number): Promise<Map<string, Float32Array>> {
  await using classifier = await t.context.client.readClassifier(name, { seed });
  return tensorsIn(await classifier.exportSafetensors());
}

test('trained weights with another last layer: the network is read with them, its last layer is fresh', async (t) => {
  const bytes = await weights(t.context, 37);
  const imported = await t.context.client.importWeights(bytes, 'pretrained_dl_classifier_resnet18.hdl');
  t.like(imported, { fileName: 'pretrained/resnet18.safetensors', tensorCount: 100, fileClassCount: 37, classCount: 1000 });
  t.deepEqual(imported.reinitializedLayers, ['fc']);
  const [once, again, other] = [await exported(t, 'resnet18', 5), await exported(t, 'resnet18', 5), await exported(t, 'resnet18', 6)];
  t.deepEqual(differingTensors(once, again), [], 'the same seed');
  t.deepEqual(differingTensors(once, other), ['fc.weight'], 'another seed');
  t.deepEqual(differingTensors(once, tensorsIn(bytes)), ['fc.bias', 'fc.weight']);
  t.is(once.get('fc.weight')?.length, 1000 * 512);
});

test('a classifier to be stored keeps its last layer where the classes are as many', async (t) => {
  const bytes = await weights(t.context, 3);
  const kept = await t.context.client.importWeights(bytes, 'resnet18', {
    name: 'kept',
    classes: ['x', 'y', 'z'],
    source: 'three.safetensors',
  });
  t.like(kept, { fileName: 'kept.safetensors', tensorCount: 102, fileClassCount: 3, classCount: 3 });
  t.deepEqual(kept.reinitializedLayers, []);
  t.deepEqual(differingTensors(await exported(t, 'kept'), tensorsIn(bytes)), []);
  await using classifier = await t.context.client.readClassifier('kept');
  t.deepEqual(await classifier.getParam(['classes', 'step', 'type']), { classes: ['x', 'y', 'z'], step: 0, type: 'resnet18' });

  const fresh = await t.context.client.importWeights(bytes, 'resnet18', { name: 'fresh', classes: ['x', 'y'], seed: 8 });
  t.like(fresh, { tensorCount: 100, fileClassCount: 3, classCount: 2 });
  t.deepEqual(fresh.reinitializedLayers, ['fc']);
  t.deepEqual(differingTensors(await exported(t, 'fresh'), tensorsIn(bytes)), ['fc.bias', 'fc.weight']);
});

test('a stored classifier serves as weights, without its momentum', async (t) => {
  const { client, daemon } = t.context;
  await client.importWeights(await weights(t.context, 2), 'resnet18', { name: 'source', classes: ['x', 'y'] });
  const stored = await readFile(join(daemon.models, 'source.safetensors'));
  t.true(stored.includes('momentum/'));
  await client.importWeights(stored, 'resnet18', { name: 'copy', classes: ['x', 'y'] });
  t.deepEqual(differingTensors(await exported(t, 'copy'), await exported(t, 'source')), []);
});

test('our own networks take weights as stored classifiers', async (t) => {
  const { client } = t.context;
  for (const network of ['compact', 'enhanced']) {
    await using classifier = await client.readClassifier(network, { seed: 3 });
    await classifier.setParam({ classes: ['x', 'y'] });
    const bytes = await classifier.exportSafetensors();
    await client.importWeights(bytes, network, { name: `my-${network}`, classes: ['x', 'y'] });
    t.deepEqual(differingTensors(await exported(t, `my-${network}`), tensorsIn(bytes)), []);
  }
});

test('a name that would be read as a network is refused, whatever is imported', async (t) => {
  const { client, daemon } = t.context;
  const bytes = await weights(t.context, 2);
  for (const name of ['resnet18', 'pretrained_dl_classifier_mine.hdl']) {
    const refusal = await refusalOf(DlClassifierError, client.importWeights(bytes, 'resnet18', { name }));
    t.like(refusal, { reason: 'WRONG_VALUE', metadata: { name: 'file_name' } });
    t.false((await readdir(daemon.models)).some((file) => file.startsWith(name)));
  }
  await client.importWeights(bytes, 'resnet18', { name: 'x'.repeat(128) });
  await using classifier = await client.readClassifier('x'.repeat(128));
  t.is(await classifier.getParam('type'), 'resnet18');
});

test('weights for grey images make a classifier for grey images, and no network for colour', async (t) => {
  const { client } = t.context;
  await using grey = await client.readClassifier('resnet18', { pretrained: false, seed: 2 });
  await grey.setParam({ image_num_channels: 1, classes: ['x', 'y'] });
  const bytes = await grey.exportSafetensors();
  t.is(tensorsIn(bytes).get('conv1.weight')?.length, 64 * 7 * 7);
  await client.importWeights(bytes, 'resnet18', { name: 'grey', classes: ['x', 'y'] });
  t.deepEqual(differingTensors(await exported(t, 'grey'), tensorsIn(bytes)), []);
  await using imported = await client.readClassifier('grey');
  t.deepEqual(await imported.getParam('image_dimensions'), [224, 224, 1]);
  const error = await t.throwsAsync<WeightsDoNotFitError>(client.importWeights(bytes, 'resnet18'), { instanceOf: WeightsDoNotFitError });
  t.is(error.metadata.misshapen, 'conv1.weight: 64x1x7x7 instead of 64x3x7x7');
});

for (const [network, width, height, layer] of [
  ['enhanced', 96, 64, 'hidden'],
  ['alexnet', 64, 80, 'classifier.1'],
] as const) {
  test(`weights of ${network} for another image size come back at that size, and at no other`, async (t) => {
    const { client, daemon } = t.context;
    await using trained = await client.readClassifier(network, { pretrained: false, seed: 4 });
    await trained.setParam({ image_dimensions: [width, height, 1], classes: ['x', 'y'] });
    const bytes = await trained.exportSafetensors();
    const name = `my-${network}-of-another-size`;
    const classes = ['x', 'y'];
    for (const imageSize of [undefined, [height, width * 2]] as const) {
      const error = await t.throwsAsync<WeightsDoNotFitError>(client.importWeights(bytes, network, { name, classes, imageSize }), {
        instanceOf: WeightsDoNotFitError,
      });
      const size = imageSize?.join(' x ') ?? '224 x 224';
      t.regex(error.metadata.remedy ?? '', new RegExp(`^${layer} was trained for images of another size than ${size}: .*--size`));
    }
    t.false((await readdir(daemon.models)).includes(`${name}.safetensors`));
    t.deepEqual((await client.importWeights(bytes, network, { name, classes, imageSize: [width, height] })).reinitializedLayers, []);
    t.deepEqual(differingTensors(await exported(t, name), tensorsIn(bytes)), []);
    await using imported = await client.readClassifier(name);
    t.deepEqual(await imported.getParam('image_dimensions'), [width, height, 1]);
  });
}

test('an image size is checked as the parameters are, and trained weights have none', async (t) => {
  const { client } = t.context;
  const bytes = await weights(t.context, 2);
  for (const [imageSize, reason] of [
    [[32, 31], 'IMAGE_SIZE_TOO_SMALL'],
    [[32, 40_000], 'WRONG_VALUE'],
    [[32_000, 32_000], 'DEVICE_MEMORY_EXHAUSTED'],
  ] as const) {
    t.like(await refusalOf(DlClassifierError, client.importWeights(bytes, 'resnet18', { name: 'sized', imageSize })), { reason });
  }
  t.like(await refusalOf(DlClassifierError, client.importWeights(bytes, 'resnet18', { imageSize: [64, 64] })), {
    reason: 'INVALID_REQUEST',
    metadata: { field: 'image_width' },
  });
  await client.importWeights(bytes, 'resnet18', { name: 'sized', classes: ['x', 'y'], imageSize: [64, 48] });
  await using classifier = await client.readClassifier('sized');
  t.deepEqual(await classifier.getParam('image_dimensions'), [64, 48, 3]);
});

test('a refused call stores nothing and leaves what was there', async (t) => {
  const { client, daemon } = t.context;
  await client.importWeights(await weights(t.context, 1000), 'resnet18');
  const before = await readFile(join(daemon.models, 'pretrained', 'resnet18.safetensors'));
  const files = () => readdir(daemon.models, { recursive: true });
  const listed = await files();
  const wrong = tensorFile([constant('conv1.weight', [64, 3, 7, 7]), constant('conv1.bias', [64])]);
  for (const options of [{}, { name: 'new' }, { name: 'new', classes: ['x'] }]) {
    const error = await t.throwsAsync<WeightsDoNotFitError>(
      client.importWeights(wrong, 'resnet18', { ...options, source: 'wrong.safetensors' }),
      {
        instanceOf: WeightsDoNotFitError,
      },
    );
    t.is(error.number, 7703);
    t.is(error.metadata.extra, 'conv1.bias');
    t.regex(error.metadata.missing ?? '', /^bn1\.\{weight,bias,running_mean,running_var\}\n/);
  }
  const nan = tensorsIn(before);
  t.true(nan.size > 0);
  const spoilt = Buffer.from(before);
  spoilt.writeFloatLE(Number.NaN, spoilt.length - 4);
  await t.throwsAsync(client.importWeights(spoilt, 'resnet18'), { message: /holds NaN, infinity or a value beyond float32/ });
  await t.throwsAsync(client.importWeights(before.subarray(0, -1), 'resnet18'), { message: /the file has/ });
  t.deepEqual(await files(), listed);
  t.true((await readFile(join(daemon.models, 'pretrained', 'resnet18.safetensors'))).equals(before));
});

test('trained weights that were put there by hand are read with the same care', async (t) => {
  const { client, daemon } = t.context;
  await client.importWeights(await weights(t.context, 10), 'resnet18');
  await writeFile(join(daemon.models, 'pretrained', 'resnet18.safetensors'), tensorFile([constant('fc.bias', [1000])]));
  const error = await t.throwsAsync<WeightsDoNotFitError>(client.readClassifier('resnet18'), { instanceOf: WeightsDoNotFitError });
  t.regex(error.message, /^"pretrained\/resnet18.safetensors" does not hold the weights of resnet18: 101 tensors are missing.*dlc import/);
});
