import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'ava';
import type { Model } from '../native/binding.js';
import { resolveLabels } from '../server/classifier/labels.js';
import { type BatchCost, largestBatchSize } from '../server/classifier/largest_batch_size.js';
import { MemoryBudget } from '../server/classifier/memory_budget.js';
import { neededBytes } from '../server/classifier/memory_estimator.js';
import { Mutex } from '../server/classifier/mutex.js';
import { RequestCache } from '../server/classifier/request_cache.js';
import { type ClassifierEvent, type ClassifierState, nextState } from '../server/classifier/states.js';
import { matchTensors } from '../server/classifier/stored_tensors.js';
import { Refusal } from '../server/errors/refusal.js';

const STATES: readonly ClassifierState[] = ['fresh', 'ready', 'training', 'failed', 'cleared'];
const EVENTS: readonly ClassifierEvent[] = ['classes_set', 'step_begins', 'step_ends', 'fails', 'clears'];

/** All that is allowed; any other event is a defect. */
const ALLOWED: Readonly<Record<string, ClassifierState>> = {
  'fresh classes_set': 'ready',
  'fresh fails': 'failed',
  'fresh clears': 'cleared',
  'ready classes_set': 'ready',
  'ready step_begins': 'training',
  'ready fails': 'failed',
  'ready clears': 'cleared',
  'training step_ends': 'ready',
  'training fails': 'failed',
  'training clears': 'cleared',
  'failed clears': 'cleared',
};

for (const state of STATES) {
  test(`a classifier that is ${state} takes the events that it should`, (t) => {
    for (const event of EVENTS) {
      const expected = ALLOWED[`${state} ${event}`];
      if (expected === undefined) t.throws(() => nextState(state, event), { message: new RegExp(`${state} .* ${event}`) });
      else t.is(nextState(state, event), expected);
    }
  });
}

test('a mutex runs one task at a time, in order, and survives one that fails', async (t) => {
  const mutex = new Mutex();
  const events: string[] = [];
  const task = (name: string, turns: number) =>
    mutex.run(async () => {
      events.push(`${name} begins`);
      for (let turn = 0; turn < turns; turn++) await nextTurn();
      events.push(`${name} ends`);
      if (name === 'b') throw new Error('b fails');
      return name;
    });
  t.false(mutex.locked);
  const results = Promise.allSettled([task('a', 5), task('b', 1), task('c', 0)]);
  t.true(mutex.locked);
  t.deepEqual(
    (await results).map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason))),
    ['a', 'Error: b fails', 'c'],
  );
  t.deepEqual(events, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  t.false(mutex.locked);
});

test('a request that was answered is answered again without work', async (t) => {
  const cache = new RequestCache<number>();
  let calls = 0;
  const work = async () => ++calls;
  t.is(await cache.run('a', work), 1);
  t.is(await cache.run('a', work), 1);
  t.is(await cache.run('b', work), 2);
  t.is(await cache.find('a'), 1);
});

test('a request that is repeated while the first runs waits for it', async (t) => {
  const cache = new RequestCache<number>();
  let calls = 0;
  const slow = async () => {
    await nextTurn();
    return ++calls;
  };
  t.deepEqual(await Promise.all([cache.run('a', slow), cache.run('a', slow)]), [1, 1]);
});

test('a request that failed is forgotten, and its failure goes to all that waited', async (t) => {
  const cache = new RequestCache<number>();
  const failing = async () => {
    await nextTurn();
    throw new Error('refused');
  };
  const results = await Promise.allSettled([cache.run('a', failing), cache.run('a', failing)]);
  t.true(results.every(({ status }) => status === 'rejected'));
  t.is(cache.find('a'), undefined);
  t.is(await cache.run('a', async () => 5), 5);
});

test('an empty request id is no id', async (t) => {
  const cache = new RequestCache<number>();
  let calls = 0;
  await cache.run('', async () => ++calls);
  await cache.run('', async () => ++calls);
  t.is(calls, 2);
  t.is(cache.find(''), undefined);
});

test('the last 1,024 requests are remembered', async (t) => {
  const cache = new RequestCache<number>();
  for (let index = 0; index < 1025; index++) await cache.run(`request ${index}`, async () => index);
  t.is(cache.find('request 0'), undefined);
  t.is(await cache.find('request 1'), 1);
});

test('labels are names or positions, mixed as the caller likes', (t) => {
  t.deepEqual([...resolveLabels(['b', 0, '2', 1], ['a', 'b', '2'], 4)], [1, 0, 2, 1]);
});

for (const [label, got] of [
  ['c', '"c"'],
  [2, '2'],
  [-1, '-1'],
  ['toString', '"toString"'],
  [null, 'left out'],
] as const) {
  test(`the label ${got} is refused where the classes are a and b`, (t) => {
    const error = t.throws(() => resolveLabels(['a', label, 'a'], ['a', 'b'], 3), { instanceOf: Refusal });
    t.is(error?.number, 7714);
    t.is(error?.metadata.image, '1');
    t.is(error?.metadata.got, got);
  });
}

test('one label an image', (t) => {
  const error = t.throws(() => resolveLabels(['a', 'b'], ['a', 'b'], 3), { instanceOf: Refusal });
  t.deepEqual(error?.metadata, { got_count: '2', wanted_count: '3' });
});

/** Batches that cost `perImage` an image and `fixed` beside, or what `bytes` says. */
function costOf(fixed: number, perImage: number, bytes = (size: number) => fixed + perImage * size): BatchCost & { planned: number[] } {
  const planned: number[] = [];
  return {
    planned,
    imageBytes: 1,
    bytes: async (batchSize) => {
      planned.push(batchSize);
      return bytes(batchSize);
    },
  };
}

const MOST = 2 ** 31 - 1;

for (const [available, maximum, largest] of [
  [1000, 1000, 90],
  [1000, 89, 89],
  [1009, MOST, 90],
  [1010, MOST, 91],
  [110, 10, 1],
  [109, 10, 0],
  [0, 1, 0],
  [1e12, MOST, MOST],
] as const) {
  test(`of ${available} bytes, at most ${maximum} images, ${largest} fit`, async (t) => {
    const cost = costOf(100, 10);
    t.is(await largestBatchSize(cost, available, maximum), largest);
    t.true(cost.planned.length <= 6, `${cost.planned} were planned`);
  });
}

test('memory that does not grow along a straight line, or cannot be counted, is searched through, too', async (t) => {
  // Scratch memory that comes in steps, and kernels that change with the size.
  const stepped = costOf(0, 0, (size) => 7 * size + 1000 * Math.ceil(size / 32) + (size > 100 ? 5000 : 0));
  for (const available of [1006, 1007, 5_000, 5_702, 10_000, 20_000, 123_456]) {
    let wanted = 0;
    while ((await stepped.bytes(wanted + 1)) <= available) wanted++;
    t.is(await largestBatchSize(stepped, available, MOST), wanted, `${available} bytes`);
  }
  const counted = costOf(0, 0, (size) => (size > 1234 ? Number.POSITIVE_INFINITY : size));
  t.is(await largestBatchSize(counted, 10_000, MOST), 1234);
});

/** All that a budget asks of a model. */
const modelHolding = (memoryBytes: number) => ({ memoryBytes }) as Model;

test('a budget counts what the other models hold', async (t) => {
  const budget = new MemoryBudget(1000);
  const [model, other] = [modelHolding(100), modelHolding(100)];
  budget.add(model);
  t.is(await budget.expectFit(model, costOf(100, 10), 90), 1000);
  budget.add(other);
  t.is(budget.availableFor(model), 900);
  t.is(budget.availableFor(null), 800);
  const refusal = await t.throwsAsync(budget.expectFit(model, costOf(100, 10), 90), { instanceOf: Refusal });
  t.deepEqual(refusal?.metadata, { largest_batch_size: '80', bytes: '1000' });
  budget.remove(other);
  t.is(await budget.expectFit(model, costOf(100, 10), 90), 1000);
});

test('what was granted counts as held until it is released, beside what is held more', async (t) => {
  const budget = new MemoryBudget(1000);
  const [model, other] = [modelHolding(100), modelHolding(100)];
  budget.add(model);
  budget.add(other);
  const grant = budget.grant(model, 600);
  t.is(budget.availableFor(model), 900);
  t.is(budget.availableFor(other), 400);
  t.is(budget.grant(other, 401), null);
  t.is(budget.grant(null, 301), null);
  const refusal = await t.throwsAsync(budget.expectFit(other, costOf(100, 10), 31), { instanceOf: Refusal });
  t.deepEqual(refusal?.metadata, { largest_batch_size: '30', bytes: '410' });
  const arriving = budget.grant(null, 300);
  t.is(budget.availableFor(other), 100);
  grant?.release();
  grant?.release();
  t.is(budget.availableFor(other), 600);
  arriving?.release();
  t.is(budget.availableFor(other), 900);
});

test('a grant for a model that was yet to be made is that of the model once it is there', (t) => {
  const budget = new MemoryBudget(1000);
  const grant = budget.grant(null, 300);
  const model = modelHolding(200);
  budget.add(model);
  t.is(budget.availableFor(null), 500);
  if (grant !== null) grant.model = model;
  t.is(budget.availableFor(null), 700);
  t.is(budget.availableFor(model), 1000);
  grant?.release();
  t.is(budget.availableFor(null), 800);
});

test('more may be asked for than is granted', (t) => {
  const budget = new MemoryBudget(1000);
  const model = modelHolding(100);
  budget.add(model);
  t.is(budget.grant(model, 1001, 200), null);
  budget.grant(model, 1000, 200);
  t.is(budget.availableFor(null), 800);
});

test('of two looks at the same time both see what is left when they end', async (t) => {
  const budget = new MemoryBudget(1000);
  const slow: BatchCost = { imageBytes: 1, bytes: (batchSize) => nextTurn(600 * batchSize) };
  const looks = Promise.allSettled([budget.expectFit(null, slow, 1), budget.expectFit(null, slow, 1)]);
  budget.grant(null, 500);
  t.deepEqual(
    (await looks).map(({ status }) => status),
    ['rejected', 'rejected'],
  );
});

test('what training needs and what applying needs are held side by side', (t) => {
  t.is(neededBytes({ parameterBytes: 1, trainingBytes: 10, inferenceBytes: 100 }), 111);
});

const MODEL = [
  { name: 'conv.weight', layer: 'conv', role: 'weight', shape: [2, 1, 1, 1] },
  { name: 'bn.running_mean', layer: 'bn', role: 'statistic', shape: [2] },
] as const;
const tensor = (name: string, shape: readonly number[]) => ({ name, shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
const WEIGHT = tensor('conv.weight', [2, 1, 1, 1]);
const MOMENTUM = tensor('momentum/conv.weight', [2, 1, 1, 1]);
const FIRST = tensor('adam_first_moment/conv.weight', [2, 1, 1, 1]);
const SECOND = tensor('adam_second_moment/conv.weight', [2, 1, 1, 1]);
const UPDATES = tensor('adam_updates/conv.weight', []);
const MEAN = tensor('bn.running_mean', [2]);

test('stored tensors are matched by name, momentum by its prefix', (t) => {
  const matched = matchTensors(MODEL, [MEAN, MOMENTUM, WEIGHT], 'sgd');
  if (typeof matched === 'string') return t.fail(matched);
  t.deepEqual(
    matched.map(({ name, role }) => [name, role]),
    [
      ['conv.weight', 'weight'],
      ['conv.weight', 'momentum'],
      ['bn.running_mean', 'statistic'],
    ],
  );
  t.is(matched[1]?.data, MOMENTUM.data);
});

for (const [what, stored, completeness, problem] of [
  ['one is missing', [WEIGHT, MOMENTUM], 'sgd', 'the tensor "bn.running_mean" is missing'],
  ['momentum is missing', [WEIGHT, MEAN], 'sgd', 'the tensor "momentum/conv.weight" is missing'],
  ['momentum comes with foreign weights', [WEIGHT, MEAN, MOMENTUM], 'weights', 'the network has no tensor "momentum/conv.weight"'],
  ['a moment is missing', [WEIGHT, MEAN, FIRST, UPDATES], 'adam', 'the tensor "adam_second_moment/conv.weight" is missing'],
  [
    'momentum comes where the solver keeps moments',
    [WEIGHT, MEAN, MOMENTUM, FIRST, SECOND, UPDATES],
    'adam',
    'the network has no tensor "momentum/conv.weight"',
  ],
  ['there is one more', [WEIGHT, MEAN, MOMENTUM, tensor('x', [1])], 'sgd', 'the network has no tensor "x"'],
  [
    'a shape differs',
    [tensor('conv.weight', [1, 2, 1, 1]), MEAN],
    'weights',
    'the tensor "conv.weight" has the shape (1, 2, 1, 1), the network\'s is (2, 1, 1, 1)',
  ],
] as const) {
  test(`stored tensors do not match where ${what}`, (t) => t.is(matchTensors(MODEL, stored, completeness), problem));
}
