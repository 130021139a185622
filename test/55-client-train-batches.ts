import { setTimeout as pause } from 'node:timers/promises';
import {
  type Classifier,
  DlClassifierClient,
  HandleClearedError,
  InvalidLabelError,
  type LabelledBatch,
  StepMismatchError,
  type TrainResult,
} from '../client/index.js';
import { readSmall, testWithDaemon } from './support/client.js';
import { startDaemon } from './support/daemon.js';
import { noiseImages } from './support/noise.js';

const test = testWithDaemon();
const LABELS = ['good', 'bad', 'bad', 'good'];

function batch(seed: number): LabelledBatch {
  return { images: noiseImages(4, [16, 16, 1], seed), labels: LABELS };
}

async function collect(results: AsyncIterable<TrainResult>): Promise<TrainResult[]> {
  const collected: TrainResult[] = [];
  for await (const result of results) collected.push(result);
  return collected;
}

async function oneByOne(classifier: Classifier, batches: readonly LabelledBatch[]): Promise<number[]> {
  const losses: number[] = [];
  for (const { images, labels, parameters } of batches) {
    if (parameters !== undefined) await classifier.setParam(parameters);
    losses.push((await classifier.trainBatch(images, labels)).loss);
  }
  return losses;
}

for (const window of [1, 2, 5]) {
  test(`a stream with a window of ${window} gives bit for bit what single calls give, in order`, async (t) => {
    await using streamed = await readSmall(t.context.client);
    await using single = await readSmall(t.context.client);
    const batches = Array.from({ length: 12 }, (_, index) => ({
      ...batch(index),
      parameters: index % 4 === 0 ? { learning_rate: 0.1 / (index + 1), momentum: 0.5 } : undefined,
    }));
    const results = await collect(streamed.trainBatches(batches, { window }));
    t.deepEqual(
      results.map(({ step }) => step),
      batches.map((_, index) => index + 1),
    );
    t.deepEqual(
      results.map(({ loss }) => loss),
      await oneByOne(single, batches),
    );
    t.true((await streamed.serialize()).equals(await single.serialize()));
  });
}

test('the source is asked for as many batches as the window admits, and no more', async (t) => {
  await using classifier = await readSmall(t.context.client);
  let pulled = 0;
  let seen = 0;
  let most = 0;
  function* batches() {
    for (; pulled < 20; ) {
      pulled++;
      most = Math.max(most, pulled - seen);
      yield batch(pulled);
    }
  }
  for await (const _result of classifier.trainBatches(batches(), { window: 4 })) {
    // Whoever reads slowly slows the source.
    await pause(5);
    seen++;
  }
  t.is(seen, 20);
  // The one that is being looked at counts as gone for the window.
  t.true(most <= 5, `${most} ahead`);
  t.true(most >= 3, `${most} ahead: batches are prepared while another trains`);
});

test('results arrive as they come, however slow the source is', async (t) => {
  await using classifier = await readSmall(t.context.client);
  const release: (() => void)[] = [];
  async function* batches() {
    yield batch(1);
    await new Promise<void>((resolve) => release.push(resolve));
    yield batch(2);
  }
  const steps: number[] = [];
  // The second batch comes only after the first one's result: a stream that waited for it would stand still for ever.
  for await (const { step } of classifier.trainBatches(batches(), { window: 3 })) {
    steps.push(step);
    while (release.length === 0) await pause(1);
    release[0]?.();
  }
  t.deepEqual(steps, [1, 2]);
});

test('the first step that fails ends the stream: the ones before it are applied, none after it', async (t) => {
  await using classifier = await readSmall(t.context.client);
  await using twin = await readSmall(t.context.client);
  let closed = false;
  function* batches() {
    try {
      yield batch(1);
      yield batch(2);
      yield { ...batch(3), labels: ['good', 'bad', 'neither', 'good'] };
      for (let seed = 4; ; seed++) yield batch(seed);
    } finally {
      closed = true;
    }
  }
  const steps: number[] = [];
  const error = await t.throwsAsync(
    async () => {
      for await (const { step } of classifier.trainBatches(batches(), { window: 4 })) steps.push(step);
    },
    { instanceOf: InvalidLabelError },
  );
  t.is(error?.metadata.image, '2');
  t.deepEqual(steps, [1, 2]);
  t.true(closed);
  await oneByOne(twin, [batch(1), batch(2)]);
  t.true((await classifier.serialize()).equals(await twin.serialize()));
});

test('an error of the source ends the stream with it', async (t) => {
  await using classifier = await readSmall(t.context.client);
  const broken = new Error('the disk is full of holes');
  async function* batches() {
    yield batch(1);
    throw broken;
  }
  t.is(await t.throwsAsync(collect(classifier.trainBatches(batches()))), broken);
  t.true((await classifier.getParam('step')) <= 1);
});

test('an aborted signal ends the stream with its reason; what is applied is whole', async (t) => {
  await using classifier = await readSmall(t.context.client);
  const controller = new AbortController();
  const reason = new Error('that will do');
  let closed = false;
  function* batches() {
    try {
      for (let seed = 1; ; seed++) yield batch(seed);
    } finally {
      closed = true;
    }
  }
  let last = 0;
  const error = await t.throwsAsync(async () => {
    for await (const { step } of classifier.trainBatches(batches(), { signal: controller.signal })) {
      last = step;
      if (step === 5) controller.abort(reason);
    }
  });
  t.is(error, reason);
  t.is(last, 5);
  t.true(closed);
  // The server was up to two steps ahead and may be at one of them still; the next call waits for it.
  const { step } = await classifier.trainBatch(batch(1).images, LABELS);
  t.true(step >= 6 && step <= 8, `${step}`);
  await using twin = await readSmall(t.context.client);
  const applied = Array.from({ length: step - 1 }, (_, index) => batch(index + 1));
  await oneByOne(twin, [...applied, batch(1)]);
  t.true((await classifier.serialize()).equals(await twin.serialize()));
});

test('an abort is heard while the source is silent', async (t) => {
  await using classifier = await readSmall(t.context.client);
  const controller = new AbortController();
  async function* batches(): AsyncGenerator<LabelledBatch> {
    controller.abort(new Error('no more'));
    await new Promise(() => {});
  }
  await t.throwsAsync(collect(classifier.trainBatches(batches(), { signal: controller.signal })), { message: 'no more' });
});

test('a loop that is left early finishes the step under way, trains no other and closes the source', async (t) => {
  await using classifier = await readSmall(t.context.client);
  await using twin = await readSmall(t.context.client);
  let closed = false;
  function* batches() {
    try {
      for (let seed = 1; ; seed++) yield batch(seed);
    } finally {
      closed = true;
    }
  }
  for await (const { step } of classifier.trainBatches(batches(), { window: 3 })) if (step === 3) break;
  t.true(closed);
  const step = await classifier.getParam('step');
  t.true(step >= 3 && step <= 5, `${step}: the server was up to two steps ahead, and is at rest now`);
  await oneByOne(
    twin,
    Array.from({ length: step }, (_, index) => batch(index + 1)),
  );
  t.true((await classifier.serialize()).equals(await twin.serialize()));
});

test('results are cleared when the loop has gone on, unless they are to be kept', async (t) => {
  await using classifier = await readSmall(t.context.client);
  const batches = [batch(1), batch(2), batch(3)];
  const results: TrainResult[] = [];
  for await (const result of classifier.trainBatches(batches)) {
    t.is(await result.get('loss'), result.loss, 'it is there inside the loop');
    results.push(result);
  }
  for (const result of results) {
    t.true(result.cleared);
    await t.throwsAsync(result.get('loss'), { instanceOf: HandleClearedError });
  }
  for (const result of await collect(classifier.trainBatches(batches, { keepResults: true }))) {
    t.is(await result.get('loss'), result.loss);
    await result.clear();
  }
});

test('somebody else who trains the same classifier ends the stream, and no step is mixed up', async (t) => {
  await using classifier = await readSmall(t.context.client);
  function* batches() {
    for (let seed = 1; seed < 30; seed++) yield batch(seed);
  }
  let theirs = 0;
  const steps: number[] = [];
  const error = await t.throwsAsync(
    async () => {
      for await (const { step } of classifier.trainBatches(batches(), { window: 2 })) {
        steps.push(step);
        if (steps.length === 3) theirs = (await classifier.trainBatch(batch(99).images, LABELS)).step;
      }
    },
    { instanceOf: StepMismatchError },
  );
  t.is(error?.reason, 'STEP_MISMATCH');
  t.deepEqual(
    steps,
    Array.from({ length: theirs - 1 }, (_, index) => index + 1),
  );
  t.is(await classifier.getParam('step'), theirs);
});

test('a server that has room for few uploads at a time gets them one after the other', async (t) => {
  // Two batches of 4 images of 16 x 16 fit, a third does not.
  const daemon = await startDaemon(['--max-upload-bytes-total', '2500', '--max-upload-bytes', '2500']);
  t.teardown(() => daemon.stop());
  await using client = await DlClassifierClient.connect(daemon.address);
  await using classifier = await readSmall(client);
  const batches = Array.from({ length: 10 }, (_, index) => batch(index));
  const results = await collect(classifier.trainBatches(batches, { window: 6 }));
  t.is(results.length, 10);
  t.is(await classifier.getParam('step'), 10);
});

test('a stream of nothing makes no step', async (t) => {
  await using classifier = await readSmall(t.context.client);
  t.deepEqual(await collect(classifier.trainBatches([])), []);
  t.is(await classifier.getParam('step'), 0);
});

test('a window that is none is refused', async (t) => {
  await using classifier = await readSmall(t.context.client);
  for (const window of [0, -1, 1.5, Number.NaN]) {
    await t.throwsAsync(collect(classifier.trainBatches([batch(1)], { window })), { instanceOf: RangeError });
  }
});
