import test from 'ava';
import { engineBinding, type Model, type Tensor } from '../native/index.js';
import { makeEngine, makeModel, makeSlowModel, noiseBatch, refusal, refusalReason } from './support/engine.js';
import { planOptions, reshapeOptions, SLOW_INPUT, SMALL_INPUT, slowGraph, smallGraph, trainOptions } from './support/graphs.js';

const binding = engineBinding();
const engine = makeEngine(64);
test.after.always(() => engine.close());

const LABELS = Int32Array.of(0, 1, 2, 3);
const step = (model: Model, index: number) => model.train(noiseBatch(SMALL_INPUT, 4, index + 1), LABELS, trainOptions(4, index));

/** Values of 24 MiB in one tensor: more than a slice of a copy. */
const WIDE_INPUT = { channels: 3, height: 32, width: 32 };
const makeWideModel = () =>
  new binding.Model(
    engine,
    {
      layers: [
        { kind: 'input', name: 'input', scale: [1 / 128, 1 / 128, 1 / 128], shift: [0, 0, 0] },
        { kind: 'fully_connected', name: 'hidden', input: 'input', outFeatures: 2048, bias: true },
        { kind: 'fully_connected', name: 'fc', input: 'hidden', outFeatures: 2, bias: true },
        { kind: 'softmax', name: 'softmax', input: 'fc' },
      ],
    },
    WIDE_INPUT,
    5n,
  );

const byKey = (tensors: readonly Tensor[]) => new Map(tensors.map((tensor) => [`${tensor.role} ${tensor.name}`, tensor.data]));

/** Compares many values: t.deepEqual would take seconds to. */
const sameValues = (some: readonly Tensor[], others: readonly Tensor[]) =>
  some.length === others.length && some.every(({ data }, i) => data.every((value, k) => value === others[i]?.data[k]));

test('a model tells its tensors, layers and parameters as soon as it is made', async (t) => {
  const model = makeModel(engine);
  t.deepEqual(model.tensors, [
    { name: 'conv1.weight', layer: 'conv1', role: 'weight', shape: [8, 3, 3, 3] },
    { name: 'bn1.weight', layer: 'bn1', role: 'bias', shape: [8] },
    { name: 'bn1.bias', layer: 'bn1', role: 'bias', shape: [8] },
    { name: 'bn1.running_mean', layer: 'bn1', role: 'statistic', shape: [8] },
    { name: 'bn1.running_var', layer: 'bn1', role: 'statistic', shape: [8] },
    { name: 'fc.weight', layer: 'fc', role: 'weight', shape: [4, 8] },
    { name: 'fc.bias', layer: 'fc', role: 'bias', shape: [4] },
  ]);
  t.deepEqual(model.layers[3], { name: 'relu1', kind: 'relu', inputs: ['bn1'], outputShape: [8, 8, 8], parameterCount: 0 });
  t.is(model.parameterCount, 8 * 27 + 16 + 36);
  await model.close();
});

test('a step moves weights, statistics and momentum, and its loss is the sum of its parts', async (t) => {
  const model = makeModel(engine);
  const before = byKey(await model.snapshot());
  const result = await step(model, 0);
  t.true(Math.abs(result.loss - result.lossMultinomialLogistic - result.lossRegularization) < 1e-6);
  t.true(result.lossRegularization > 0);
  t.true(result.gradientNorm > 0);
  for (const seconds of [result.queueSeconds, result.forwardSeconds, result.backwardSeconds, result.updateSeconds]) t.true(seconds >= 0);
  for (const [key, values] of byKey(await model.snapshot())) t.notDeepEqual(values, before.get(key), key);
  await model.close();
});

test('a profiled step is a step like any other, and tells the seconds of each layer', async (t) => {
  const [profiled, plain] = [makeModel(engine), makeModel(engine)];
  const layers = await profiled.profile(noiseBatch(SMALL_INPUT, 4, 1), LABELS, trainOptions(4, 0));
  t.deepEqual(
    layers.map(({ layer }) => layer),
    ['input', 'conv1', 'bn1', 'pool', 'fc', 'softmax'],
  );
  for (const { layer, forward, weights, backward } of layers) {
    t.true(forward > 0, layer);
    t.is(weights > 0, layer === 'conv1' || layer === 'fc', layer);
    t.is(backward > 0, layer !== 'input', layer);
  }
  await step(plain, 0);
  t.deepEqual(await profiled.snapshot(), await plain.snapshot());
  await Promise.all([profiled.close(), plain.close()]);
});

test('steps run in the order of the calls', async (t) => {
  const [together, oneByOne] = [makeModel(engine), makeModel(engine)];
  const steps = Promise.all([0, 1, 2, 3].map((index) => step(together, index)));
  const losses: number[] = [];
  for (const index of [0, 1, 2, 3]) losses.push((await step(oneByOne, index)).loss);
  t.deepEqual(
    (await steps).map(({ loss }) => loss),
    losses,
  );
  t.deepEqual(await together.snapshot(), await oneByOne.snapshot());
  await Promise.all([together.close(), oneByOne.close()]);
});

test('announced batches change nothing, whether they come or not', async (t) => {
  const [told, alone] = [makeModel(engine), makeModel(engine)];
  const batches = [0, 1, 2, 3, 4].map((index) => noiseBatch(SMALL_INPUT, 4, index + 1));
  for (const batch of batches) told.announce(batch);
  batches[1]?.buffer.close();
  for (const index of [0, 2, 4]) {
    const batch = batches[index];
    if (batch !== undefined) await told.train(batch, LABELS, trainOptions(4, index));
    await step(alone, index);
  }
  t.deepEqual(await told.snapshot(), await alone.snapshot());
  await Promise.all([told.close(), alone.close()]);
  t.notThrows(() => told.announce(noiseBatch(SMALL_INPUT, 4)));
});

test('the confidences of each image add up to one', async (t) => {
  const model = makeModel(engine);
  const confidences = await model.apply(noiseBatch(SMALL_INPUT, 5), planOptions(2));
  t.is(confidences.length, 5 * 4);
  for (let image = 0; image < 5; image++) {
    const sum = confidences.subarray(image * 4, image * 4 + 4).reduce((a, b) => a + b);
    t.true(Math.abs(sum - 1) < 1e-5);
  }
  await model.close();
});

test('a snapshot is a copy: it stays when the model goes on and when it is closed', async (t) => {
  const model = makeModel(engine);
  const snapshot = await model.snapshot();
  const copy = snapshot.map((tensor) => ({ ...tensor, data: tensor.data.slice() }));
  await step(model, 0);
  await model.close();
  t.deepEqual(snapshot, copy);
});

test('a snapshot restored in another model goes on bit-equal', async (t) => {
  const [one, other] = [makeModel(engine, 1n), makeModel(engine, 2n)];
  await step(one, 0);
  await other.restore(await one.snapshot());
  t.deepEqual((await step(other, 1)).loss, (await step(one, 1)).loss);
  t.deepEqual(await other.snapshot(), await one.snapshot());
  await Promise.all([one.close(), other.close()]);
});

test('restore of a network larger than a slice of the copy keeps its place in the order of the calls', async (t) => {
  const model = makeWideModel();
  const tensors = (await model.snapshot()).map((tensor) => ({ ...tensor, data: tensor.data.map((_, i) => i % 1000) }));
  const restored = model.restore(tensors);
  const after = model.snapshot();
  await restored;
  t.true(sameValues(await after, tensors));
  await model.close();
});

test('an array that is detached while restore copies it rejects the call, and the model stays as it was', async (t) => {
  const model = makeWideModel();
  const before = await model.snapshot();
  const tensors = before.map((tensor) => ({ ...tensor, data: tensor.data.map(() => 7) }));
  const restored = refusal(() => model.restore(tensors));
  for (const { data } of tensors) structuredClone(data.buffer, { transfer: [data.buffer] });
  const { reason, metadata } = await restored;
  t.is(reason, 'INVALID_ARGUMENT');
  t.is(metadata.argument, 'tensors');
  t.true(sameValues(await model.snapshot(), before));
  await model.close();
});

test('a model that is closed while restore copies rejects it with CLOSED and leaves the queue to others', async (t) => {
  const [model, other] = [makeWideModel(), makeModel(engine)];
  const tensors = await model.snapshot();
  const restored = refusalReason(() => model.restore(tensors));
  const waiting = other.snapshot();
  await model.close();
  t.is(await restored, 'CLOSED');
  t.true((await waiting).length > 0);
  await other.close();
});

test('another solver begins with a state of 0, which is counted, stored and restored', async (t) => {
  const model = makeModel(engine);
  await step(model, 0);
  const before = byKey(await model.snapshot());
  const { parameterBytes } = await model.planMemory(planOptions(4));
  await model.setSolver('adam');
  const { parameterBytes: withAdam } = await model.planMemory(planOptions(4));
  t.true(withAdam >= parameterBytes + 4 * model.parameterCount);
  const planned = await engine.planMemory(smallGraph(), SMALL_INPUT, planOptions(4), 'adam');
  t.is(planned.parameterBytes, withAdam);
  const changed = byKey(await model.snapshot());
  t.deepEqual(
    [...before.keys()].filter((key) => !changed.has(key)).sort(),
    [...before.keys()].filter((key) => key.startsWith('momentum ')).sort(),
  );
  for (const [key, data] of changed) {
    if (before.has(key)) t.deepEqual(data, before.get(key), key);
    else
      t.true(
        data.every((value) => value === 0),
        key,
      );
  }
  await step(model, 1);
  const tensors = await model.snapshot();
  t.deepEqual(
    tensors.find(({ role, name }) => role === 'update_count' && name === 'fc.bias'),
    {
      name: 'fc.bias',
      role: 'update_count',
      shape: [],
      data: Float32Array.of(1),
    },
  );
  const other = makeModel(engine, 9n);
  t.is(await refusalReason(() => other.restore(tensors)), 'INVALID_ARGUMENT');
  await other.setSolver('adam');
  await other.restore(tensors);
  t.deepEqual(await other.snapshot(), tensors);
  t.is(await refusalReason(() => other.setSolver('rmsprop' as never)), 'INVALID_ARGUMENT');
  t.deepEqual(await other.snapshot(), tensors);
  await Promise.all([model.close(), other.close()]);
});

test('after reshape the properties are those of the new graph, and other layers keep their values', async (t) => {
  const model = makeModel(engine);
  await step(model, 0);
  const before = byKey(await model.snapshot());
  t.deepEqual(await model.reshape(smallGraph(6), { channels: 3, height: 12, width: 10 }, reshapeOptions(3n)), ['fc']);
  t.deepEqual(model.tensors.at(-1), { name: 'fc.bias', layer: 'fc', role: 'bias', shape: [6] });
  t.deepEqual(model.layers[1]?.outputShape, [8, 12, 10]);
  t.is(model.parameterCount, 8 * 27 + 16 + 54);
  const after = byKey(await model.snapshot());
  for (const key of ['weight conv1.weight', 'momentum conv1.weight', 'statistic bn1.running_mean'])
    t.deepEqual(after.get(key), before.get(key));
  await model.close();
});

test('a call behind a reshape sees the new size', async (t) => {
  const model = makeModel(engine);
  const reshaped = model.reshape(smallGraph(), { channels: 3, height: 16, width: 16 }, reshapeOptions(3n));
  const tooSmall = refusal(() => model.apply(noiseBatch(SMALL_INPUT, 2), planOptions(2)));
  await reshaped;
  t.is((await tooSmall).metadata.argument, 'buffer');
  await model.close();
});

test('a step that diverges is refused with loss and gradient norm, and changes nothing', async (t) => {
  const model = makeModel(engine);
  const broken = (await model.snapshot()).map((tensor) =>
    tensor.name === 'fc.weight' && tensor.role === 'weight' ? { ...tensor, data: tensor.data.map(() => 3e38) } : tensor,
  );
  await model.restore(broken);
  const before = await model.snapshot();
  const error = await refusal(() => step(model, 0));
  t.is(error.reason, 'STEP_DIVERGED');
  t.deepEqual(Object.keys(error.metadata).sort(), ['gradient_norm', 'loss']);
  t.deepEqual(await model.snapshot(), before);
  await model.close();
});

test('a float image out of range is refused with its index and value', async (t) => {
  const model = makeModel(engine);
  const pixels = new Float32Array(2 * 8 * 8 * 3);
  pixels[8 * 8 * 3 + 5] = 200;
  const buffer = new binding.StagingBuffer(pixels.byteLength);
  buffer.write(0, new Uint8Array(pixels.buffer));
  const error = await refusal(() => model.apply({ buffer, format: 'float32', count: 2 }, planOptions(2)));
  t.is(error.reason, 'IMAGE_OUT_OF_RANGE');
  t.is(error.metadata.image, '1');
  t.is(Number(error.metadata.value), 200);
  await model.close();
});

test('memory that cannot be had rejects with OUT_OF_MEMORY, and the model can still be used', async (t) => {
  const model = makeSlowModel(engine);
  const error = await refusal(() => model.prepare(planOptions(1 << 20)));
  t.is(error.reason, 'OUT_OF_MEMORY');
  t.true(Number(error.metadata.bytes) > 2 ** 40);
  t.is((await model.apply(noiseBatch(SLOW_INPUT, 1), planOptions(1))).length, 2);
  await model.close();
});

test('a model whose weights cannot be had answers every call with OUT_OF_MEMORY', async (t) => {
  const { layers } = slowGraph();
  const huge = { layers: layers.map((layer) => (layer.kind === 'convolution' ? { ...layer, outChannels: 1 << 22 } : layer)) };
  const model = new binding.Model(engine, huge, SLOW_INPUT, 1n);
  t.is(await refusalReason(() => model.snapshot()), 'OUT_OF_MEMORY');
  t.is(await refusalReason(() => model.planMemory(planOptions(1))), 'OUT_OF_MEMORY');
  t.is(model.memoryBytes, 0);
  await model.close();
});

test('planMemory tells what prepare will allocate', async (t) => {
  const model = makeModel(engine);
  const plan = await model.planMemory(planOptions(8));
  t.is(model.memoryBytes, plan.parameterBytes);
  await model.prepare(planOptions(8));
  t.is(model.memoryBytes, plan.parameterBytes + plan.trainingBytes + plan.inferenceBytes);
  await model.close();
});
