import type { Client } from '@grpc/grpc-js';
import { call } from './support/calls.js';
import { CLASSES, noiseBatch, readCompact, serialize } from './support/classifier.js';
import { differingTensors, tensorsIn } from './support/tensors_in.js';
import { getParams, named, setParams, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire();

const tensorsOf = async (client: Client, classifier: string) => tensorsIn(await serialize(client, classifier));

/** A classifier whose weights, statistics and momentum have all been changed by two steps. */
async function trained(client: Client): Promise<string> {
  const classifier = await readCompact(client);
  await train(client, classifier);
  await train(client, classifier);
  return classifier;
}

test('other classes initialise the last layer and its momentum anew, and nothing else', async (t) => {
  const { client } = t.context;
  const classifier = await trained(client);
  const before = await tensorsOf(client, classifier);
  t.deepEqual(await setParams(client, classifier, named('classes', 'a', 'b', 'c', 'd')), ['classifier']);
  const after = await tensorsOf(client, classifier);
  const changed = ['classifier.bias', 'classifier.weight', 'momentum/classifier.bias', 'momentum/classifier.weight'];
  t.deepEqual(differingTensors(before, after), changed);
  t.is(after.get('classifier.bias')?.length, 4);
  for (const name of changed.slice(2))
    t.true(
      after.get(name)?.every((value) => value === 0),
      name,
    );
  t.deepEqual(await getParams(client, classifier, 'classes', 'step'), { classes: ['a', 'b', 'c', 'd'], step: [2n] });
});

for (const [what, classes] of [
  ['as many classes of other names', ['a', 'b', 'c']],
  ['the same classes in another order', CLASSES.toReversed()],
] as const) {
  test(`${what} initialise the last layer anew, too`, async (t) => {
    const { client } = t.context;
    const classifier = await trained(client);
    const before = await tensorsOf(client, classifier);
    t.deepEqual(await setParams(client, classifier, named('classes', ...classes)), ['classifier']);
    const differing = differingTensors(before, await tensorsOf(client, classifier));
    t.deepEqual(differing, ['classifier.bias', 'classifier.weight', 'momentum/classifier.bias', 'momentum/classifier.weight']);
  });
}

test('the same classes again change nothing', async (t) => {
  const { client } = t.context;
  const classifier = await trained(client);
  const before = await serialize(client, classifier);
  t.deepEqual(await setParams(client, classifier, named('classes', ...CLASSES)), []);
  t.true((await serialize(client, classifier)).equals(before));
});

test('another image size keeps every weight', async (t) => {
  const { client } = t.context;
  const classifier = await trained(client);
  const before = await tensorsOf(client, classifier);
  t.deepEqual(await setParams(client, classifier, named('image_dimensions', 40n, 24n, 3n)), []);
  t.deepEqual(differingTensors(before, await tensorsOf(client, classifier)), []);
  const batch = noiseBatch();
  const images = { ...batch.images, width: 40, height: 24 };
  await train(client, classifier, { ...batch, images, pixels: new Uint8Array(4 * 40 * 24 * 3) });
  t.deepEqual(await getParams(client, classifier, 'step'), { step: [3n] });
});

test("from 3 channels to 1 the first layer's filters are summed, its momentum is 0, the rest is kept", async (t) => {
  const { client } = t.context;
  const classifier = await trained(client);
  const before = await tensorsOf(client, classifier);
  t.deepEqual(await setParams(client, classifier, named('image_num_channels', 1n)), []);
  const after = await tensorsOf(client, classifier);
  t.deepEqual(differingTensors(before, after), ['block1.conv.weight', 'momentum/block1.conv.weight']);
  const colour = before.get('block1.conv.weight') ?? new Float32Array();
  // (16, 3, 3, 3) -> (16, 1, 3, 3)
  const summed = Float32Array.from({ length: 16 * 9 }, (_, index) => {
    const [filter, position] = [Math.floor(index / 9), index % 9];
    return [0, 1, 2].reduce((sum, channel) => sum + (colour[filter * 27 + channel * 9 + position] ?? Number.NaN), 0);
  });
  const grey = after.get('block1.conv.weight') ?? new Float32Array();
  t.is(grey.length, summed.length);
  t.true(grey.every((value, index) => Math.abs(value - (summed[index] ?? Number.NaN)) <= 1e-6));
  t.true(after.get('momentum/block1.conv.weight')?.every((value) => value === 0));
});

test('a grey classifier takes grey images', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  await setParams(client, classifier, named('image_num_channels', 1n));
  const batch = noiseBatch();
  await train(client, classifier, { ...batch, images: { ...batch.images, channels: 1 }, pixels: batch.pixels.subarray(0, 4 * 256) });
  t.deepEqual(await getParams(client, classifier, 'step', 'image_dimensions'), { step: [1n], image_dimensions: [16n, 16n, 1n] });
});

test("runtime_init 'immediately' allocates now", async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client, { size: 64, batchSize: 16 });
  const { memory } = await call(client, 'describeClassifier', { classifier });
  const held = async () => {
    const { open } = await call(client, 'listClassifiers', {});
    return Math.max(...open.map(({ memoryBytes }) => Number(memoryBytes)));
  };
  t.true((await held()) < Number(memory?.trainingBytes));
  await setParams(client, classifier, named('runtime_init', 'immediately'));
  t.true((await held()) >= Number(memory?.parametersBytes) + Number(memory?.trainingBytes));
});

test('the precisions that the server lists can be set and trained in, the weights stay float32', async (t) => {
  const { client } = t.context;
  const { devices } = await call(client, 'getServerInfo', {});
  const precisions = devices.find(({ runtime }) => runtime === 'cpu')?.precisions ?? [];
  t.true(precisions.includes('float32'));
  for (const precision of precisions) {
    const classifier = await readCompact(client);
    await setParams(client, classifier, named('precision', precision));
    const before = await tensorsOf(client, classifier);
    const { loss } = await train(client, classifier);
    t.true(loss > 0 && loss < 10, `${precision}: ${loss}`);
    t.deepEqual([...(await tensorsOf(client, classifier)).keys()], [...before.keys()]);
    t.deepEqual(await getParams(client, classifier, 'precision'), { precision: [precision] });
  }
});

test('several parameters are told in the order asked for, all where none is named', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const { params } = await call(client, 'getParam', { classifier, names: ['momentum', 'type', 'momentum'] });
  t.deepEqual(
    params.map(({ name }) => name),
    ['momentum', 'type', 'momentum'],
  );
  const all = await getParams(client, classifier);
  t.true(Object.keys(all).length >= 20);
  t.false('runtime_init' in all);
});

test('a set without parameters changes nothing', async (t) => {
  const { client } = t.context;
  const classifier = await trained(client);
  const before = await serialize(client, classifier);
  t.deepEqual(await setParams(client, classifier), []);
  t.true((await serialize(client, classifier)).equals(before));
});
