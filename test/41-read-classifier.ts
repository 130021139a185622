import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@grpc/grpc-js';
import { encodeHeader, type TensorEntry } from '../server/store/safetensors.js';
import { call } from './support/calls.js';
import { readCompact, serialize } from './support/classifier.js';
import { differingTensors, tensorsIn } from './support/tensors_in.js';
import { getParams, named, refusalOf, setParams, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire();

async function read(client: Client, fileName: string, options: { pretrained?: boolean; seed?: bigint } = {}): Promise<string> {
  return (await call(client, 'readClassifier', { fileName, pretrained: options.pretrained, seed: options.seed })).classifier;
}

const tensorsOf = async (client: Client, classifier: string) => tensorsIn(await serialize(client, classifier));

for (const fileName of ['compact', 'pretrained_dl_classifier_compact', 'pretrained_dl_classifier_compact.hdl']) {
  test(`${fileName} is the network, with its defaults and no classes`, async (t) => {
    const { client } = t.context;
    const classifier = await read(client, fileName);
    const parameters = await getParams(client, classifier, 'type', 'batch_size', 'image_dimensions', 'weight_prior', 'classes', 'step');
    t.deepEqual(parameters, {
      type: ['compact'],
      batch_size: [160n],
      image_dimensions: [224n, 224n, 3n],
      weight_prior: [0],
      classes: [],
      step: [0n],
    });
  });
}

test("resnet18 has torchvision's number of parameters", async (t) => {
  const classifier = await read(t.context.client, 'resnet18', { pretrained: false });
  t.deepEqual(await getParams(t.context.client, classifier, 'num_trainable_params'), { num_trainable_params: [11_689_512n] });
});

test('the same seed gives the same weights bit for bit, another seed gives others', async (t) => {
  const { client } = t.context;
  const [a, b, c] = await Promise.all([1n, 1n, 2n].map((seed) => read(client, 'compact', { seed })));
  const [bytesA, bytesB] = [await serialize(client, a ?? ''), await serialize(client, b ?? '')];
  t.true(bytesA.equals(bytesB));
  const differing = differingTensors(tensorsIn(bytesA), await tensorsOf(client, c ?? ''));
  t.true(differing.length > 0);
  t.true(differing.every((name) => name.endsWith('conv.weight') || name === 'classifier.weight'));
});

test('without a seed one is drawn', async (t) => {
  const { client } = t.context;
  const [a, b] = [await read(client, 'compact'), await read(client, 'compact')];
  t.not(differingTensors(await tensorsOf(client, a), await tensorsOf(client, b)).length, 0);
});

test('fresh weights have the deviation of He: sqrt(2 / fan-in); the rest is 0 or 1', async (t) => {
  const tensors = await tensorsOf(t.context.client, await read(t.context.client, 'compact', { seed: 3n }));
  for (const [name, values] of tensors) {
    if (name === 'block7.conv.weight') {
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
      // 147,456 values of 128 * 3 * 3 inputs each: the estimate's own deviation is 0.2 %.
      t.true(Math.abs(deviation / Math.sqrt(2 / (128 * 9)) - 1) < 0.01, `${deviation}`);
    } else if (!name.endsWith('.weight') || name.includes('.bn.') || name.startsWith('momentum/')) {
      const expected = !name.startsWith('momentum/') && /\.(weight|running_var)$/.test(name) ? 1 : 0;
      t.true(
        values.every((value) => value === expected),
        name,
      );
    }
  }
});

test('reading the same file twice gives two independent classifiers', async (t) => {
  const { client } = t.context;
  const original = await readCompact(client);
  await call(client, 'writeClassifier', { classifier: original, fileName: 'twice' });
  const [a, b] = [await read(client, 'twice'), await read(client, 'twice')];
  t.not(a, b);
  await setParams(client, a, named('learning_rate', 0.5), named('meta_data', { for: 'a' }));
  await train(client, a);
  t.true((await serialize(client, b)).equals(await serialize(client, original)));
  t.deepEqual(await getParams(client, b, 'learning_rate', 'meta_data', 'step'), { learning_rate: [0.001], meta_data: [{}], step: [0n] });
});

for (const fileName of ['resnet18', 'pretrained_dl_classifier_compact.hdl', 'pretrained_dl_classifier_mine.hdl']) {
  test(`${fileName}, which would not be read again, is no name for a classifier to store`, async (t) => {
    const { client, daemon } = t.context;
    const classifier = await readCompact(client);
    const { metadata } = await refusalOf(call(client, 'writeClassifier', { classifier, fileName }));
    t.is(metadata.number, '1303');
    t.is(metadata.name, 'file_name');
    t.regex(metadata.wanted ?? '', /ReadClassifier does not take for a network's, such as "my-(resnet18|compact|mine)"/);
    t.false((await readdir(daemon.models)).some((name) => name.startsWith(fileName)));
  });
}

test('a network goes before a stored file of its name', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  await train(client, classifier);
  t.is((await call(client, 'writeClassifier', { classifier, fileName: 'compact.safetensors' })).fileName, 'compact.safetensors');
  t.deepEqual(await getParams(client, await read(client, 'compact'), 'step'), { step: [0n] });
  t.deepEqual(await getParams(client, await read(client, 'compact.safetensors'), 'step'), { step: [1n] });
});

/** The weights of a resnet18 as torchvision would save them: no momentum, with counts of batches. */
async function torchvisionWeights(client: Client): Promise<{ tensors: TensorEntry[]; values: Map<string, Float32Array> }> {
  const source = await read(client, 'resnet18', { pretrained: false, seed: 9n });
  const { layers } = await call(client, 'describeClassifier', { classifier: source });
  const bytes = await serialize(client, source);
  const headerEnd = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, headerEnd)) as Record<string, { shape: number[] }>;
  const values = new Map([...tensorsIn(bytes)].filter(([name]) => !name.startsWith('momentum/')));
  const tensors: TensorEntry[] = [...values].map(([name, data]) => {
    return { name, dtype: 'F32', shape: header[name]?.shape ?? [], data: new Uint8Array(data.buffer) };
  });
  for (const { name, kind } of layers) {
    if (kind === 'batch_norm') tensors.push({ name: `${name}.num_batches_tracked`, dtype: 'I64', shape: [], data: new Uint8Array(8) });
  }
  return { tensors, values };
}

async function putPretrained(models: string, tensors: readonly TensorEntry[]): Promise<void> {
  await mkdir(join(models, 'pretrained'), { recursive: true });
  const parts = [encodeHeader(new Map([['format', 'pt']]), tensors), ...tensors.map(({ data }) => data)];
  await writeFile(join(models, 'pretrained', 'resnet18.safetensors'), Buffer.concat(parts));
}

test.serial("resnet18 begins with torchvision's weights where they are on the server", async (t) => {
  const { client, daemon } = t.context;
  const { tensors, values } = await torchvisionWeights(client);
  const available = async () => (await call(client, 'getServerInfo', {})).networks.filter((n) => n.pretrainedAvailable).map((n) => n.name);
  t.deepEqual(await available(), []);
  await putPretrained(daemon.models, tensors);
  t.deepEqual(await available(), ['resnet18']);

  const classifier = await read(client, 'pretrained_dl_classifier_resnet18.hdl');
  const found = new Map([...(await tensorsOf(client, classifier))].filter(([name]) => !name.startsWith('momentum/')));
  t.deepEqual(differingTensors(found, values), []);
  t.deepEqual(await setParams(client, classifier, named('classes', 'a', 'b')), ['fc']);
});

test.serial('trained weights that do not fit are refused: one missing, one of another shape, one too many', async (t) => {
  const { client, daemon } = t.context;
  const { tensors } = await torchvisionWeights(client);
  const fc = tensors.filter(({ name }) => name === 'fc.bias');
  const changes: [TensorEntry[], RegExp][] = [
    [tensors.filter(({ name }) => name !== 'layer4.1.bn2.running_var'), /"layer4.1.bn2.running_var" is missing/],
    [
      tensors.map((tensor) => (tensor.name === 'fc.bias' ? { ...tensor, shape: [10, 100] } : tensor)),
      /"fc.bias" has the shape \(10, 100\), the network's is \(1000\)/,
    ],
    [[...tensors, ...fc.map((tensor) => ({ ...tensor, name: 'fc2.bias' }))], /no tensor "fc2.bias"/],
  ];
  for (const [changed, problem] of changes) {
    await putPretrained(daemon.models, changed);
    const refusal = await refusalOf(read(client, 'resnet18'));
    t.is(refusal.metadata.number, '7703');
    t.is(refusal.metadata.file_name, 'pretrained/resnet18.safetensors');
    t.regex(refusal.metadata.problem ?? '', problem);
  }
  const fresh = await read(client, 'resnet18', { pretrained: false });
  t.deepEqual(await getParams(client, fresh, 'type'), { type: ['resnet18'] });
});
