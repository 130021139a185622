/** solver_type, weight_decay, class_weights, max_gradient_norm, freeze and batch_norm_momentum over the wire: what a set changes, what a step does. */
import type { Client } from '@grpc/grpc-js';
import { deserializeClassifier, serializeClassifier } from '../server/store/classifier_file.js';
import { call, upload } from './support/calls.js';
import { noiseBatch, readCompact, serialize } from './support/classifier.js';
import { differingTensors, tensorsIn } from './support/tensors_in.js';
import { deserializeMessages, getParams, named, plain, refusalOf, setParams, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire();

const tensorsOf = async (client: Client, classifier: string) => tensorsIn(await serialize(client, classifier));

async function result(client: Client, trainResult: string, name: string): Promise<number> {
  const { results } = await call(client, 'getTrainResult', { trainResult, names: [name] });
  return Number(plain(results)[name]?.[0]);
}

const STATE = /^(momentum|adam_first_moment|adam_second_moment|adam_updates)\//;
const PARTS = ['adam_first_moment', 'adam_second_moment', 'adam_updates'];
/** Names of tensors without the solver's state. */
const values = (tensors: ReadonlyMap<string, Float32Array>) => new Map([...tensors].filter(([name]) => !STATE.test(name)));
const isZero = (data: Float32Array | undefined) => data?.every((value) => value === 0) === true;

test('another solver begins with a state of 0 and changes nothing else; the same one again changes nothing at all', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  await train(client, classifier);
  const before = await tensorsOf(client, classifier);
  t.deepEqual(await setParams(client, classifier, named('solver_type', 'sgd')), []);
  t.deepEqual(differingTensors(before, await tensorsOf(client, classifier)), []);

  t.deepEqual(await setParams(client, classifier, named('solver_type', 'adam')), []);
  const adam = await tensorsOf(client, classifier);
  t.deepEqual(differingTensors(values(before), values(adam)), []);
  const trained = [...before.keys()].filter((name) => name.startsWith('momentum/')).map((name) => name.slice('momentum/'.length));
  t.deepEqual(
    [...adam.keys()].filter((name) => STATE.test(name)).sort(),
    trained.flatMap((name) => PARTS.map((part) => `${part}/${name}`)).sort(),
  );
  for (const [name, data] of adam) if (STATE.test(name)) t.true(isZero(data), name);

  await train(client, classifier);
  const after = await tensorsOf(client, classifier);
  for (const name of trained) t.deepEqual(after.get(`adam_updates/${name}`), Float32Array.of(1));
  await setParams(client, classifier, named('solver_type', 'adam'), named('adam_beta1', 0.5));
  t.deepEqual(differingTensors(after, await tensorsOf(client, classifier)), []);

  await setParams(client, classifier, named('solver_type', 'sgd'));
  const sgd = await tensorsOf(client, classifier);
  for (const [name, data] of sgd) if (STATE.test(name)) t.true(name.startsWith('momentum/') && isZero(data), name);
});

test("other classes reset the last layer's moments and counts, and nobody else's", async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  await setParams(client, classifier, named('solver_type', 'adam'));
  await train(client, classifier);
  const before = await tensorsOf(client, classifier);
  t.deepEqual(await setParams(client, classifier, named('classes', 'a', 'b', 'c', 'd')), ['classifier']);
  const after = await tensorsOf(client, classifier);
  const own = ['classifier.weight', 'classifier.bias'];
  const state = own.flatMap((name) => PARTS.map((part) => `${part}/${name}`));
  t.deepEqual(differingTensors(before, after), [...own, ...state].sort());
  for (const name of state) t.true(isZero(after.get(name)), name);
});

test('the memory of the second moment is told before it is taken, and a step of Adam takes no more', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client, { size: 64 });
  const memoryOf = async () => (await call(client, 'describeClassifier', { classifier })).memory;
  const sgd = await memoryOf();
  const estimate = await call(client, 'estimateMemory', {
    subject: { $case: 'classifier', value: classifier },
    params: [named('solver_type', 'adam')],
    classCount: undefined,
    purpose: 0,
    budgetBytes: undefined,
  });
  await setParams(client, classifier, named('solver_type', 'adam'));
  const adam = await memoryOf();
  t.deepEqual(estimate.memory, adam);
  const count = Number((await getParams(client, classifier, 'num_trainable_params')).num_trainable_params?.[0]);
  t.true(Number(adam?.parametersBytes) >= Number(sgd?.parametersBytes) + 4 * count);
  t.is(adam?.trainingBytes, sgd?.trainingBytes);
});

test('frozen layers stay bit by bit, whatever the solver; the others train', async (t) => {
  const { client } = t.context;
  for (const solver of ['sgd', 'adam']) {
    const classifier = await readCompact(client);
    await setParams(client, classifier, named('solver_type', solver), named('weight_decay', 0.1), named('weight_prior', 0.1));
    await train(client, classifier);
    const before = await tensorsOf(client, classifier);
    t.deepEqual(await setParams(client, classifier, named('freeze', 'block?.bn')), []);
    t.deepEqual(differingTensors(before, await tensorsOf(client, classifier)), [], 'the set keeps all');
    await setParams(client, classifier, named('freeze', 'block1.*', 'block2.*', 'block4.conv', 'block8.bn'));
    for (let step = 0; step < 3; step++) await train(client, classifier);
    const changed = differingTensors(before, await tensorsOf(client, classifier));
    const frozen = /(^|\/)(block1\.|block2\.|block4\.conv|block8\.bn)/;
    t.deepEqual(changed, [...before.keys()].filter((name) => !frozen.test(name)).sort());
    await setParams(client, classifier, named('freeze'));
    t.deepEqual(await getParams(client, classifier, 'freeze'), { freeze: [] });
    await train(client, classifier);
    t.deepEqual(differingTensors(before, await tensorsOf(client, classifier)), [...before.keys()].sort(), 'thawed, all train');
  }
});

test('frozen layers do not count among num_trainable_params, but in the description', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const { layers, parameterCount } = await call(client, 'describeClassifier', { classifier });
  await setParams(client, classifier, named('freeze', 'block*'));
  const head = layers.find(({ name }) => name === 'classifier')?.parameterCount;
  t.is(head, 3n * 129n);
  t.deepEqual(await getParams(client, classifier, 'num_trainable_params', 'freeze'), {
    num_trainable_params: [head ?? 0n],
    freeze: ['block*'],
  });
  const described = await call(client, 'describeClassifier', { classifier });
  t.is(described.parameterCount, parameterCount);
  t.deepEqual(described.layers, layers);
});

test('the loss weighs each image by its class, and is told so', async (t) => {
  const { client } = t.context;
  const batch = noiseBatch();
  // The same weights each time: the loss of the classes of noiseBatch is 0, 1, 2, 0.
  const lossWith = async (...weights: number[]) => {
    const classifier = await readCompact(client);
    await setParams(client, classifier, named('class_weights', ...weights));
    const { trainResult, loss } = await train(client, classifier, batch);
    t.is(await result(client, trainResult, 'loss_multinomial_logistic'), loss);
    return loss;
  };
  const [whole, left, right, none] = [await lossWith(), await lossWith(1, 0, 0), await lossWith(0, 1, 0), await lossWith(0, 0, 1)];
  t.true(Math.abs(left + right + none - whole) < 1e-9);
  t.true(Math.abs((await lossWith(2, 0.5, 3)) - (2 * left + 0.5 * right + 3 * none)) < 1e-9);
  t.is(await lossWith(1, 1, 1), whole);
});

test('classes that change forget their weights, unless one call sets both', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const weights = async () => (await getParams(client, classifier, 'class_weights')).class_weights;
  await setParams(client, classifier, named('class_weights', 1, 2, 3));
  t.deepEqual(await weights(), [1, 2, 3]);
  await setParams(client, classifier, named('classes', 'a', 'b'));
  t.deepEqual(await weights(), []);
  await setParams(client, classifier, named('class_weights', 4, 5, 6), named('classes', 'x', 'y', 'z'));
  t.deepEqual(await weights(), [4, 5, 6]);
});

test('gradient_norm is told before clipping, and the step is as long as max_gradient_norm says', async (t) => {
  const { client } = t.context;
  const momentumNorm = async (classifier: string) => {
    const momentum = [...(await tensorsOf(client, classifier))].filter(([name]) => name.startsWith('momentum/'));
    return Math.sqrt(momentum.reduce((sum, [, data]) => data.reduce((squares, value) => squares + value * value, sum), 0));
  };
  const free = await readCompact(client);
  const norm = await result(client, (await train(client, free)).trainResult, 'gradient_norm');
  const clipped = await readCompact(client);
  await setParams(client, clipped, named('max_gradient_norm', norm / 4), named('learning_rate', 1));
  t.is(await result(client, (await train(client, clipped)).trainResult, 'gradient_norm'), norm);
  t.true(Math.abs((await momentumNorm(clipped)) / (norm / 4) - 1) < 1e-4);
  t.true(Math.abs((await momentumNorm(free)) / (0.001 * norm) - 1) < 1e-4);
});

test('with batch_norm_momentum 1 the statistics are those of the last batch; the set keeps them and all else', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  await setParams(client, classifier, named('learning_rate', 1e-30));
  const statistics = async () => new Map([...(await tensorsOf(client, classifier))].filter(([name]) => name.includes('running_')));
  const fresh = await statistics();
  await train(client, classifier);
  const tenth = await statistics();
  const before = await tensorsOf(client, classifier);
  t.deepEqual(await setParams(client, classifier, named('batch_norm_momentum', 1)), []);
  t.deepEqual(differingTensors(before, await tensorsOf(client, classifier)), []);
  t.deepEqual(await getParams(client, classifier, 'batch_norm_momentum'), { batch_norm_momentum: [1] });
  await train(client, classifier);
  const whole = await statistics();
  for (const [name, data] of whole) {
    const [start, end] = [fresh.get(name), tenth.get(name)];
    t.true(
      data.every((value, i) => Math.abs((end?.[i] ?? Number.NaN) - (0.9 * (start?.[i] ?? 0) + 0.1 * value)) < 1e-5 * (1 + Math.abs(value))),
      name,
    );
  }
  await train(client, classifier);
  t.deepEqual(differingTensors(whole, await statistics()), [], 'the same images again');
});

test('a file whose moments no step can leave is damaged', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  await setParams(client, classifier, named('solver_type', 'adam'));
  await train(client, classifier);
  const record = await deserializeClassifier(await serialize(client, classifier), 'whole', ['float32']);
  const withFirst = async (name: string, value: number) => {
    const tensors = record.tensors.map((tensor) => (tensor.name === name ? { ...tensor, data: tensor.data.with(0, value) } : tensor));
    const { parts } = await serializeClassifier({ ...record, tensors });
    return upload(client, 'deserializeClassifier', deserializeMessages(Buffer.concat(parts)));
  };
  await t.notThrowsAsync(withFirst('adam_second_moment/classifier.bias', 0.5));
  for (const [name, value] of [
    ['adam_first_moment/classifier.bias', 1e16],
    ['adam_second_moment/classifier.bias', -1e-9],
    ['adam_updates/classifier.bias', 0.5],
  ] as const) {
    const { reason, metadata } = await refusalOf(withFirst(name, value));
    t.is(reason, 'FILE_DAMAGED');
    t.regex(metadata.problem ?? '', /^classifier\.bias: no step of the solver leaves /);
  }
});

test('a step that diverges changes nothing, whatever the parameters of training', async (t) => {
  const { client } = t.context;
  for (const params of [
    [named('solver_type', 'adam'), named('learning_rate', 1e200)],
    [named('weight_decay', 1e200), named('learning_rate', 1)],
    [named('class_weights', 1e308, 1e308, 1e308)],
    [named('max_gradient_norm', 1), named('learning_rate', 1e200)],
    [named('freeze', 'block1.*'), named('learning_rate', 1e200)],
    [named('batch_norm_momentum', 0.5), named('learning_rate', 1e200)],
  ]) {
    const classifier = await readCompact(client);
    await train(client, classifier);
    await setParams(client, classifier, ...params);
    const before = await serialize(client, classifier);
    t.is((await refusalOf(train(client, classifier))).reason, 'STEP_DIVERGED');
    t.true((await serialize(client, classifier)).equals(before));
    await call(client, 'clearClassifier', { classifiers: [classifier] });
  }
});
