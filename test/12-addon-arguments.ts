import test from 'ava';
import { engineBinding, type InputSize, type PlanOptions, type TrainOptions } from '../native/index.js';
import { makeEngine, makeModel, noiseBatch, refusal, refusalReason } from './support/engine.js';
import { planOptions, reshapeOptions, SMALL_INPUT, smallGraph, trainOptions } from './support/graphs.js';

const { Engine, Model, StagingBuffer } = engineBinding();
const engine = makeEngine();
test.after.always(() => engine.close());

/** A value of the wrong type, whatever the parameter's type is. */
const WRONG: never[] = [undefined, Symbol('wrong'), {}, [{}]] as never[];

async function refusesArgument(call: () => unknown, argument: string): Promise<string | null> {
  const error = await refusal(call);
  if (error.reason !== 'INVALID_ARGUMENT') return `reason ${error.reason}: ${error.message}`;
  return error.metadata.argument === argument ? null : `argument ${error.metadata.argument}, not ${argument}: ${error.message}`;
}

test('an error of the engine is an Error with a sentence, a reason and metadata', async (t) => {
  const error = await refusal(() => new StagingBuffer(0));
  t.true(error instanceof Error);
  t.is(error.name, 'EngineError');
  t.is(error.message, 'byteLength: must lie in 1..68719476736');
  t.is(error.reason, 'INVALID_ARGUMENT');
  t.deepEqual(error.metadata, { argument: 'byteLength' });
});

test('Engine refuses wrong options', async (t) => {
  for (const wrong of [...WRONG, 0, 1.5, -1, 100_000, Number.NaN] as never[]) {
    t.is(await refusesArgument(() => new Engine({ gpu: null, threads: wrong, queueLength: 1 }), 'threads'), null);
    t.is(await refusesArgument(() => new Engine({ gpu: null, threads: 1, queueLength: wrong }), 'queueLength'), null);
  }
  t.is(await refusesArgument(() => new Engine(null as never), 'options'), null);
});

test('Model refuses a wrong engine, input size and seed', async (t) => {
  for (const wrong of [...WRONG, null, 1, new StagingBuffer(1)] as never[]) {
    t.is(await refusesArgument(() => new Model(wrong, smallGraph(), SMALL_INPUT, 1n), 'engine'), null);
  }
  for (const field of ['channels', 'height', 'width'] as const) {
    for (const wrong of [...WRONG, 0, -1, 2.5, 2 ** 30] as never[]) {
      const input: InputSize = { ...SMALL_INPUT, [field]: wrong };
      t.is(await refusesArgument(() => new Model(engine, smallGraph(), input, 1n), field), null);
    }
  }
  for (const wrong of [...WRONG, null, 1, -1n, 2n ** 64n] as never[]) {
    t.is(await refusesArgument(() => new Model(engine, smallGraph(), SMALL_INPUT, wrong), 'seed'), null);
  }
});

test('the largest seed is taken', async (t) => {
  const model = new Model(engine, smallGraph(), SMALL_INPUT, 2n ** 64n - 1n);
  t.true((await model.snapshot()).length > 0);
  await model.close();
});

test('options of a wrong type or beyond their range reject the call', async (t) => {
  const model = makeModel(engine);
  const batch = noiseBatch(SMALL_INPUT, 2);
  for (const field of Object.keys(planOptions(2)) as (keyof PlanOptions)[]) {
    for (const wrong of [...WRONG, null, -1] as never[]) {
      const options = { ...planOptions(2), [field]: wrong };
      t.is(await refusesArgument(() => model.planMemory(options), field), null);
      t.is(await refusesArgument(() => model.prepare(options), field), null);
      t.is(await refusesArgument(() => model.apply(batch, options), field), null);
    }
  }
  for (const field of Object.keys(trainOptions(2)) as (keyof TrainOptions)[]) {
    for (const wrong of [...WRONG, null, Number.NaN] as never[]) {
      const options = { ...trainOptions(2), [field]: wrong };
      t.is(await refusesArgument(() => model.train(batch, new Int32Array(2), options), field), null);
    }
  }
  await model.close();
});

test('a wrong batch rejects the call', async (t) => {
  const model = makeModel(engine);
  const batch = noiseBatch(SMALL_INPUT, 2);
  const train = (fields: object) => () => model.train({ ...batch, ...fields }, new Int32Array(2), trainOptions(2));
  for (const wrong of [...WRONG, null, 'uint16'] as never[]) t.is(await refusesArgument(train({ format: wrong }), 'format'), null);
  for (const wrong of [...WRONG, null, 0, -2, 1.5] as never[]) t.is(await refusesArgument(train({ count: wrong }), 'count'), null);
  for (const wrong of [...WRONG, null, model, engine] as never[]) t.is(await refusesArgument(train({ buffer: wrong }), 'buffer'), null);
  t.is(await refusesArgument(() => model.train(null as never, new Int32Array(2), trainOptions(2)), 'batch'), null);
  await model.close();
});

test('a buffer too small for the images rejects the call', async (t) => {
  const model = makeModel(engine);
  const buffer = new StagingBuffer(2 * 8 * 8 * 3 - 1);
  t.is(await refusesArgument(() => model.apply({ buffer, format: 'uint8', count: 2 }, planOptions(2)), 'buffer'), null);
  t.is(await refusesArgument(() => model.apply({ buffer, format: 'float32', count: 1 }, planOptions(2)), 'buffer'), null);
  t.is((await model.apply({ buffer, format: 'uint8', count: 1 }, planOptions(1))).length, 4);
  await model.close();
});

test('wrong labels reject the call', async (t) => {
  const model = makeModel(engine);
  const batch = noiseBatch(SMALL_INPUT, 2);
  for (const wrong of [...WRONG, [0, 1], new Uint32Array(2), new Int32Array(1), new Int32Array(3)] as never[]) {
    t.is(await refusesArgument(() => model.train(batch, wrong, trainOptions(2)), 'labels'), null);
  }
  for (const label of [-1, 4]) {
    t.is(await refusesArgument(() => model.train(batch, new Int32Array([0, label]), trainOptions(2)), 'labels'), null);
  }
  await model.close();
});

test('wrong tensors reject restore', async (t) => {
  const model = makeModel(engine);
  const bias = { name: 'fc.bias', role: 'bias', shape: [4], data: new Float32Array(4) } as const;
  for (const wrong of [undefined, null, {}, [null], [7]] as never[]) {
    t.is(await refusesArgument(() => model.restore(wrong), 'tensors'), null);
  }
  for (const fields of [
    { name: undefined },
    { role: 'gain' },
    { shape: 4 },
    { shape: [-4] },
    { shape: [2, 3] },
    { data: [0, 0, 0, 0] },
    { data: new Float64Array(4) },
    { data: new Float32Array(3) },
  ] as never[]) {
    t.is(await refusesArgument(() => model.restore([bias, Object.assign({}, bias, fields)]), 'tensors'), null);
  }
  t.is(await refusesArgument(() => model.restore([bias, { ...bias, name: 'fc.bios' }]), 'fc.bios'), null);
  t.is(await refusesArgument(() => model.restore([bias, { ...bias, role: 'statistic' }]), 'fc.bias'), null);
  await model.restore([bias]);
  await model.close();
});

test('a wrong graph, size or name rejects reshape, and the model stays as it was', async (t) => {
  const model = makeModel(engine);
  const before = await model.snapshot();
  t.is(await refusalReason(() => model.reshape({ layers: [] }, SMALL_INPUT, reshapeOptions(1n))), 'INVALID_GRAPH');
  t.is(await refusesArgument(() => model.reshape(smallGraph(), { ...SMALL_INPUT, width: 0 }, reshapeOptions(1n)), 'width'), null);
  for (const wrong of [undefined, null, 'fc', [7]] as never[]) {
    t.is(
      await refusesArgument(() => model.reshape(smallGraph(), SMALL_INPUT, { ...reshapeOptions(1n), reinitialize: wrong }), 'reinitialize'),
      null,
    );
  }
  t.is(await refusesArgument(() => model.reshape(smallGraph(), SMALL_INPUT, reshapeOptions(1 as never)), 'seed'), null);
  for (const [name, wrong] of [
    ['solver', 'rmsprop'],
    ['solver', undefined],
    ['options', undefined],
    ['plan', 'now'],
  ] as const) {
    const options = name === 'options' ? undefined : { ...reshapeOptions(1n), [name]: wrong };
    t.is(await refusesArgument(() => model.reshape(smallGraph(), SMALL_INPUT, options as never), name === 'plan' ? 'options' : name), null);
  }
  t.deepEqual(await model.snapshot(), before);
  await model.close();
});

test('an exception of a getter rejects with that exception', async (t) => {
  const model = makeModel(engine);
  const options = {
    ...planOptions(2),
    get batchSize(): never {
      throw new RangeError('mine');
    },
  };
  await t.throwsAsync(model.planMemory(options), { instanceOf: RangeError, message: 'mine' });
  await model.close();
});

test('a getter that closes the model in mid-call rejects with CLOSED', async (t) => {
  const model = makeModel(engine);
  const options = {
    ...planOptions(2),
    get deterministic(): boolean {
      void model.close();
      return true;
    },
  };
  t.is(await refusalReason(() => model.planMemory(options)), 'CLOSED');
});
