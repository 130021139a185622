/** Classifiers on GPUs and their moves. The GPUs compute on the host: native/test/failing_gpus. */
import anyTest, { type TestFn } from 'ava';
import { type Classifier, DlClassifierClient, DlClassifierError, type ParameterSet, type PixelBatch } from '../client/index.js';
import { startDaemon } from './support/daemon.js';
import { type GpuDaemon, startGpuDaemon } from './support/gpu_daemon.js';
import { refusalOf } from './support/refusal_of.js';
import { tensorsIn } from './support/tensors_in.js';

interface Context {
  readonly daemon: GpuDaemon;
  readonly client: DlClassifierClient;
}

const test = anyTest as TestFn<Context>;
const COUNT = 2;
const BATCH = 4;
const SIZE = 16;

test.before(async (t) => {
  const daemon = await startGpuDaemon({ count: COUNT, memoryBytes: 2 ** 28 });
  t.context = { daemon, client: await DlClassifierClient.connect(daemon.address) };
});

test.after.always(async (t) => {
  t.context.client?.close();
  await t.context.daemon?.stop();
});

async function readSmall(client: DlClassifierClient, parameters: ParameterSet = {}): Promise<Classifier> {
  const classifier = await client.readClassifier('compact', { seed: 5 });
  const dimensions = [SIZE, SIZE, 1] as const;
  await classifier.setParam({
    batch_size: BATCH,
    classes: ['good', 'bad'],
    image_dimensions: dimensions,
    deterministic: true,
    ...parameters,
  });
  return classifier;
}

/** Grey images of noise, other ones for each step. */
function images(step: number): PixelBatch {
  const data = new Uint8Array(BATCH * SIZE * SIZE);
  for (let index = 0, state = step + 1; index < data.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[index] = state >>> 24;
  }
  return { data, shape: [BATCH, SIZE, SIZE, 1] };
}

async function train(classifier: Classifier, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) losses.push((await classifier.trainBatch(images(step), [0, 1, 0, 1])).loss);
  return losses;
}

/** Every weight, statistic and part of the solver's state; not the parameters, of which a move may change the precision. */
async function tensorsOf(classifier: Classifier): Promise<ReadonlyMap<string, Float32Array>> {
  return tensorsIn(await classifier.serialize());
}

const PLACE = ['runtime', 'gpu', 'precision'] as const;

test('GPUs that have passed their self-check are listed as usable, with what they compute in', async (t) => {
  const { devices } = await t.context.client.getServerInfo();
  t.deepEqual(
    devices.map(({ runtime, index, usable, problem }) => ({ runtime, index, usable, problem })),
    [
      { runtime: 'cpu', index: 0, usable: true, problem: '' },
      { runtime: 'gpu', index: 0, usable: true, problem: '' },
      { runtime: 'gpu', index: 1, usable: true, problem: '' },
    ],
  );
  t.like(devices[1], { memoryBytes: 2 ** 28, budgetBytes: Math.floor(0.9 * 2 ** 28) });
  t.true(devices[1]?.precisions.includes('tf32'));
});

test('a classifier is read onto the first GPU, and computes in TF32 there', async (t) => {
  const classifier = await readSmall(t.context.client);
  t.deepEqual(await classifier.getParam(PLACE), { runtime: 'gpu', gpu: 0, precision: 'tf32' });
  await classifier.clear();
});

test('a list of what is open tells the device of each classifier', async (t) => {
  const { client } = t.context;
  const classifier = await readSmall(client, { runtime: 'gpu', gpu: 1 });
  // No other test here makes so many steps.
  const { length: steps } = await train(classifier, 7);
  const listed = async () => (await client.listClassifiers()).open.find(({ step }) => step === steps);
  t.like(await listed(), { runtime: 'gpu', deviceIndex: 1 });
  await classifier.setParam({ runtime: 'cpu' });
  t.like(await listed(), { runtime: 'cpu', deviceIndex: 0 });
  await classifier.clear();
});

for (const solver of ['sgd', 'adam'] as const) {
  test(`${solver}: a classifier that moves takes every bit along, and goes on as if it had not moved`, async (t) => {
    const { client } = t.context;
    const parameters = { runtime: 'cpu', solver_type: solver, momentum: 0.9 } as const;
    const [resident, traveller] = [await readSmall(client, parameters), await readSmall(client, parameters)];
    t.deepEqual(await train(resident, 2), await train(traveller, 2));
    const before = await tensorsOf(traveller);
    t.deepEqual(before, await tensorsOf(resident));
    const journey = [{ runtime: 'gpu', gpu: 1 }, { gpu: 0 }, { runtime: 'cpu' }] as const;
    for (const place of journey) {
      t.deepEqual(await traveller.setParam(place), []);
      t.deepEqual(await tensorsOf(traveller), before);
    }
    t.deepEqual(await traveller.getParam(PLACE), { runtime: 'cpu', gpu: 0, precision: 'float32' });
    t.deepEqual(await train(traveller, 2), await train(resident, 2));
    t.deepEqual(await tensorsOf(traveller), await tensorsOf(resident));
    t.deepEqual((await traveller.getParam(['step'])).step, 4);
  });
}

test('training on a GPU agrees with training on the CPU', async (t) => {
  const { client } = t.context;
  const precision = 'float32';
  const here = await readSmall(client, { runtime: 'cpu', precision });
  const there = await readSmall(client, { runtime: 'gpu', precision });
  const [expected, losses] = [await train(here, 5), await train(there, 5)];
  losses.forEach((loss, step) => {
    const wanted = expected[step] ?? Number.NaN;
    t.true(Math.abs(loss - wanted) <= 1e-4 * wanted, `step ${step}: ${loss}, ${wanted} on the CPU`);
  });
  const [applied] = await (await there.apply(images(9))).all();
  const [wanted] = await (await here.apply(images(9))).all();
  t.is(applied?.className, wanted?.className);
});

test('steps whose pixels are fetched during the step before are those of single calls, bit for bit', async (t) => {
  const { client } = t.context;
  const parameters = { runtime: 'gpu', precision: 'float32' } as const;
  const [streamed, called] = [await readSmall(client, parameters), await readSmall(client, parameters)];
  const batches = Array.from({ length: 6 }, (_, step) => ({ images: images(step), labels: [0, 1, 0, 1] }));
  const losses: number[] = [];
  for await (const { loss } of streamed.trainBatches(batches)) losses.push(loss);
  t.deepEqual(losses, await train(called, batches.length));
  t.deepEqual(await tensorsOf(streamed), await tensorsOf(called));
});

test('classifiers of several devices train at the same time', async (t) => {
  const { client } = t.context;
  const places = [{ runtime: 'cpu' }, { runtime: 'gpu', gpu: 0 }, { runtime: 'gpu', gpu: 1 }] as const;
  const classifiers = await Promise.all(places.map((place) => readSmall(client, { ...place, precision: 'float32' })));
  const losses = await Promise.all(classifiers.map((classifier) => train(classifier, 3)));
  for (const [step, wanted] of losses[0]?.entries() ?? []) {
    for (const each of losses) t.true(Math.abs((each[step] ?? Number.NaN) - wanted) < 1e-3);
  }
});

test('a move and other parameters are set together or not at all', async (t) => {
  const classifier = await readSmall(t.context.client, { runtime: 'cpu' });
  await train(classifier, 1);
  const before = await classifier.serialize();
  const refusal = await refusalOf(DlClassifierError, classifier.setParam({ runtime: 'gpu', momentum: 2 }));
  t.is(refusal.reason, 'WRONG_VALUE');
  t.deepEqual(await classifier.serialize(), before);
  t.is((await classifier.getParam(['runtime'])).runtime, 'cpu');
  t.deepEqual(await classifier.setParam({ runtime: 'gpu', classes: ['a', 'b', 'c'], runtime_init: 'immediately' }), ['classifier']);
  t.like(await classifier.getParam(['runtime', 'classes', 'step']), { runtime: 'gpu', classes: ['a', 'b', 'c'], step: 1 });
});

test('a batch that does not fit into the other device is refused with the largest that does, and nothing has moved', async (t) => {
  const { client } = t.context;
  const classifier = await readSmall(client, { runtime: 'cpu', image_dimensions: [224, 224, 3], batch_size: 300 });
  const before = await classifier.serialize();
  const refusal = await refusalOf(DlClassifierError, classifier.setParam({ runtime: 'gpu' }));
  t.like(refusal, { reason: 'DEVICE_MEMORY_EXHAUSTED', number: 4104 });
  t.deepEqual(await classifier.serialize(), before);
  const largest = Number(refusal.metadata.largest_batch_size);
  t.true(largest > 0 && largest < 300, String(largest));
  const estimate = await classifier.estimateMemory({ parameters: { runtime: 'gpu' } });
  // Classifiers of other tests may have come or gone in between.
  t.true(Math.abs(estimate.largestBatchSize - largest) <= largest / 2, `${estimate.largestBatchSize}, ${largest} was told`);
  t.true(estimate.budgetBytes <= 0.9 * 2 ** 28);
  await classifier.setParam({ runtime: 'gpu', batch_size: Math.floor(largest / 2), runtime_init: 'immediately' });
  t.is((await classifier.getParam(['runtime'])).runtime, 'gpu');
  await classifier.clear();
});

test('memory of a GPU that a classifier leaves is free again', async (t) => {
  const daemon = await startGpuDaemon({ memoryBytes: 2 ** 28 });
  const client = await DlClassifierClient.connect(daemon.address);
  const budget = async () => (await client.estimateMemory('compact', { parameters: { runtime: 'gpu' } })).budgetBytes;
  const free = await budget();
  const classifier = await readSmall(client, { runtime_init: 'immediately' });
  t.true((await budget()) < free);
  await classifier.setParam({ runtime: 'cpu' });
  t.is(await budget(), free);
  await classifier.setParam({ runtime: 'gpu', runtime_init: 'immediately' });
  t.true((await budget()) < free);
  await classifier.clear();
  t.is(await budget(), free);
  client.close();
  await daemon.stop();
});

test('a precision that the other device lacks is refused with what to do, and the default follows the device', async (t) => {
  const classifier = await readSmall(t.context.client);
  t.is((await classifier.getParam(['precision'])).precision, 'tf32');
  const refusal = await refusalOf(DlClassifierError, classifier.setParam({ precision: 'tf32', runtime: 'cpu' }));
  t.like(refusal, { reason: 'WRONG_VALUE', number: 1303 });
  t.regex(refusal.message, /precision is tf32; give float32/);
  await classifier.setParam({ runtime: 'cpu' });
  t.is((await classifier.getParam(['precision'])).precision, 'float32');
  await classifier.setParam({ runtime: 'gpu', precision: 'float32' });
  t.is((await classifier.getParam(['precision'])).precision, 'float32');
});

test("a precision that is nobody's default stays, or stops the move", async (t) => {
  const daemon = await startGpuDaemon({ float32Only: true });
  const client = await DlClassifierClient.connect(daemon.address);
  const classifier = await readSmall(client, { runtime: 'cpu' });
  const { devices } = await client.getServerInfo();
  if (devices[0]?.precisions.includes('bfloat16')) {
    await classifier.setParam({ precision: 'bfloat16' });
    const refusal = await refusalOf(DlClassifierError, classifier.setParam({ runtime: 'gpu' }));
    t.regex(refusal.message, /precision is bfloat16; give float32 in the same call/);
    t.is((await classifier.getParam(['runtime'])).runtime, 'cpu');
  }
  await classifier.setParam({ runtime: 'gpu', precision: 'float32' });
  t.deepEqual(await classifier.getParam(PLACE), { runtime: 'gpu', gpu: 0, precision: 'float32' });
  client.close();
  await daemon.stop();
});

test('an index beyond the GPUs is refused', async (t) => {
  const classifier = await readSmall(t.context.client);
  const refusal = await refusalOf(DlClassifierError, classifier.setParam({ gpu: COUNT }));
  t.like(refusal, { reason: 'WRONG_VALUE', metadata: { name: 'gpu', got: String(COUNT) } });
  t.regex(refusal.message, /an index from 0 to 1/);
});

test('what was stored on a GPU is read on the CPU of another machine, and goes on there', async (t) => {
  const classifier = await readSmall(t.context.client);
  await train(classifier, 2);
  const bytes = await classifier.serialize();
  const daemon = await startDaemon();
  const client = await DlClassifierClient.connect(daemon.address);
  const elsewhere = await client.deserialize(bytes);
  t.deepEqual(await elsewhere.getParam(PLACE), { runtime: 'cpu', gpu: 0, precision: 'float32' });
  t.deepEqual(await tensorsOf(elsewhere), await tensorsOf(classifier));
  const [loss] = await train(elsewhere, 1);
  t.true(Number.isFinite(loss));
  client.close();
  await daemon.stop();
});
