import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@grpc/grpc-js';
import test from 'ava';
import { call, connectTo, download, upload } from './support/calls.js';
import { noiseBatch, readCompact, serialize } from './support/classifier.js';
import { startDaemon } from './support/daemon.js';
import { deserializeMessages, getParams, named, setParams, train } from './support/wire.js';

/** Runs `work` with a client of a daemon of its own, which is stopped afterwards. */
async function withDaemon<Result>(models: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const daemon = await startDaemon(['--models', models]);
  const client = connectTo(daemon.address);
  try {
    return await work(client);
  } finally {
    client.close();
    await daemon.stop();
  }
}

test.beforeEach(async (t) => {
  t.context = await mkdtemp(join(tmpdir(), 'dl-classifier-stop-'));
});

test.afterEach.always((t) => rm(t.context as string, { recursive: true, force: true }));

/** Every parameter another than its default. */
async function configured(client: Client): Promise<string> {
  const classifier = await readCompact(client, { size: 20, batchSize: 2 });
  await setParams(
    client,
    classifier,
    named('batch_size_multiplier', 2n),
    named('learning_rate', 0.0123),
    named('momentum', 0.8),
    named('weight_prior', 0.001),
    named('meta_data', { author: 'me', __proto__x: 'ä\n"quoted"' }),
  );
  return classifier;
}

async function steps(client: Client, classifier: string, count: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < count; step++) losses.push((await train(client, classifier, noiseBatch({ size: 20, batchSize: 4 }))).loss);
  return losses;
}

test('stop, store, start anew, read and go on: bit-equal to never having stopped', async (t) => {
  const models = t.context as string;
  const before = await withDaemon(models, async (client) => {
    const classifier = await configured(client);
    await steps(client, classifier, 3);
    // A learning rate that changed midway: the momentum still holds the old one.
    await setParams(client, classifier, named('learning_rate', 0.002));
    await steps(client, classifier, 2);
    const { fileName } = await call(client, 'writeClassifier', { classifier, fileName: 'half-way' });
    const parameters = await getParams(client, classifier);
    const losses = await steps(client, classifier, 4);
    return { fileName, parameters, losses, bytes: await serialize(client, classifier) };
  });
  const after = await withDaemon(models, async (client) => {
    const { classifier } = await call(client, 'readClassifier', { fileName: 'half-way', pretrained: undefined, seed: undefined });
    const parameters = await getParams(client, classifier);
    const losses = await steps(client, classifier, 4);
    return { parameters, losses, bytes: await serialize(client, classifier) };
  });
  t.deepEqual(after.parameters, before.parameters);
  t.deepEqual(after.losses, before.losses);
  t.true(after.bytes.equals(before.bytes));
  t.deepEqual(await readdir(models), [before.fileName]);
});

test('with Adam, class weights, clipping, frozen layers and all that, too', async (t) => {
  const models = t.context as string;
  const { parameters, losses, bytes } = await withDaemon(models, async (client) => {
    const classifier = await configured(client);
    await setParams(
      client,
      classifier,
      named('solver_type', 'adam'),
      named('adam_beta1', 0.8),
      named('adam_beta2', 0.99),
      named('adam_epsilon', 1e-6),
      named('weight_decay', 0.02),
      named('max_gradient_norm', 0.5),
      named('class_weights', 1, 2.5, 0.25),
      named('batch_norm_momentum', 0.3),
    );
    await steps(client, classifier, 2);
    await setParams(client, classifier, named('freeze', 'block1.*', 'block3.bn'));
    await steps(client, classifier, 2);
    await call(client, 'writeClassifier', { classifier, fileName: 'half-way' });
    const before = await getParams(client, classifier);
    // Layers that were frozen have seen fewer updates: each counts its own.
    await setParams(client, classifier, named('freeze', 'block2.*'));
    return { parameters: before, losses: await steps(client, classifier, 3), bytes: await serialize(client, classifier) };
  });
  await withDaemon(models, async (client) => {
    const { classifier } = await call(client, 'readClassifier', { fileName: 'half-way', pretrained: undefined, seed: undefined });
    t.deepEqual(await getParams(client, classifier), parameters);
    await setParams(client, classifier, named('freeze', 'block2.*'));
    t.deepEqual(await steps(client, classifier, 3), losses);
    t.true((await serialize(client, classifier)).equals(bytes));
  });
});

test('the serialized bytes are those of the file, and make the same classifier', async (t) => {
  const models = t.context as string;
  await withDaemon(models, async (client) => {
    const classifier = await configured(client);
    await steps(client, classifier, 2);
    const { fileName, sizeBytes } = await call(client, 'writeClassifier', { classifier, fileName: 'same' });
    const bytes = await serialize(client, classifier);
    t.true(bytes.equals(await readFile(join(models, fileName))));
    t.is(sizeBytes, BigInt(bytes.length));

    const other = (await upload(client, 'deserializeClassifier', deserializeMessages(bytes))).classifier;
    t.not(other, classifier);
    t.deepEqual(await getParams(client, other), await getParams(client, classifier));
    t.deepEqual(await steps(client, other, 2), await steps(client, classifier, 2));
    t.true((await serialize(client, other)).equals(await serialize(client, classifier)));
  });
});

test('the stream of serialized bytes tells its size first and its checksum last', async (t) => {
  await withDaemon(t.context as string, async (client) => {
    const messages = await download(client, 'serializeClassifier', { classifier: await configured(client) });
    const sizes = messages.map(({ data }) => data.length);
    t.true(messages.length > 1);
    t.true(sizes.slice(0, -1).every((size) => size === 2 ** 20));
    t.is(messages[0]?.totalBytes, BigInt(sizes.reduce((a, b) => a + b, 0)));
    t.deepEqual(messages.map(({ commit }) => commit !== undefined).indexOf(true), messages.length - 1);
  });
});

test('a classifier without classes can be stored, too', async (t) => {
  await withDaemon(t.context as string, async (client) => {
    const { classifier } = await call(client, 'readClassifier', { fileName: 'compact', pretrained: undefined, seed: 4n });
    await call(client, 'writeClassifier', { classifier, fileName: 'fresh' });
    const copy = (await call(client, 'readClassifier', { fileName: 'fresh', pretrained: undefined, seed: undefined })).classifier;
    t.true((await serialize(client, copy)).equals(await serialize(client, classifier)));
    t.is((await call(client, 'describeClassifier', { classifier: copy })).state, 'fresh');
  });
});

test('storing under the same name replaces the file', async (t) => {
  await withDaemon(t.context as string, async (client) => {
    const classifier = await configured(client);
    await call(client, 'writeClassifier', { classifier, fileName: 'best' });
    await steps(client, classifier, 1);
    await call(client, 'writeClassifier', { classifier, fileName: 'best.safetensors' });
    const copy = (await call(client, 'readClassifier', { fileName: 'best', pretrained: undefined, seed: undefined })).classifier;
    t.deepEqual(await getParams(client, copy, 'step'), { step: [1n] });
  });
});

test('ten calls that store under one name at once leave one whole file', async (t) => {
  const models = t.context as string;
  await withDaemon(models, async (client) => {
    const classifiers = await Promise.all(Array.from({ length: 10 }, (_, index) => readCompact(client, { seed: BigInt(index) })));
    await Promise.all(classifiers.map((classifier) => call(client, 'writeClassifier', { classifier, fileName: 'one' })));
    t.deepEqual(await readdir(models), ['one.safetensors']);
    const stored = await readFile(join(models, 'one.safetensors'));
    const all = await Promise.all(classifiers.map((classifier) => serialize(client, classifier)));
    t.is(all.filter((bytes) => bytes.equals(stored)).length, 1);
  });
});
