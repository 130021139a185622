import { crc32 } from 'node:zlib';
import { type Client, status } from '@grpc/grpc-js';
import type { TrainBatchesRequest, TrainBatchHeader } from '../generated/dlclassifier/v1/classifier.js';
import { PixelFormat } from '../generated/dlclassifier/v1/image.js';
import { batchMessages, numberedBatch, openBatches } from './support/batch_call.js';
import { errorInfo, openUpload, untilArrived, upload } from './support/calls.js';
import { type Batch, readCompact, serialize, stepOf, trainMessages, untilTraining } from './support/classifier.js';
import { encodedBatch, png } from './support/refusal_cases/bad_batches.js';
import { getParams, named, refusalOf, setParams, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire();

/** A classifier that made a step by TrainBatch for each of these batches. */
async function oneByOne(client: Client, numbers: readonly number[], options: Parameters<typeof readCompact>[1] = {}): Promise<Buffer> {
  const classifier = await readCompact(client, options);
  for (const number of numbers) await train(client, classifier, numberedBatch(number, options));
  return serialize(client, classifier);
}

const numbered = (classifier: string, number: number, header: Partial<TrainBatchHeader> = {}) =>
  batchMessages(classifier, numberedBatch(number), { requestId: `b${number}`, ...header });

test('each batch is answered in order, and the classifier is bit for bit what single calls make of it', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const call = openBatches(client, classifier);
  const numbers = Array.from({ length: 12 }, (_, index) => index);
  for (const number of numbers) void call.send(...numbered(classifier, number, { expectedStep: BigInt(number) }));
  call.end();
  const { answers, error } = await call.rest();
  t.is(error, null);
  t.deepEqual(
    answers.map(({ batch, requestId, ...rest }) => [batch, requestId, 'step' in rest ? rest.step : rest.reason]),
    numbers.map((number) => [number, `b${number}`, number + 1]),
  );
  t.true((await serialize(client, classifier)).equals(await oneByOne(client, numbers)));
  const { step, window, applied } = await call.opened;
  t.deepEqual([step, window, applied], [0n, 4, []]);
});

test('a batch may be one message', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const call = openBatches(client, classifier);
  for (const number of [0, 1, 2]) {
    const [header, chunk, commit] = numbered(classifier, number);
    void call.send({ header: header?.header, pixels: chunk?.pixels ?? new Uint8Array(), commit: commit?.commit, call: undefined });
  }
  call.end();
  t.is((await call.rest()).answers.length, 3);
  t.true((await serialize(client, classifier)).equals(await oneByOne(client, [0, 1, 2])));
});

test('an answer comes while the call is open, without the next batch', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const call = openBatches(client, classifier);
  for (const number of [0, 1, 2]) {
    await call.send(...numbered(classifier, number));
    t.like(await call.next(), { batch: number, step: number + 1 });
  }
  call.end();
  t.is(await call.next(), undefined);
});

/** Ways in which the second batch is refused. */
const REFUSED: readonly {
  readonly what: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly messages: (classifier: string) => TrainBatchesRequest[] | Promise<TrainBatchesRequest[]>;
}[] = [
  {
    what: 'a label',
    reason: 'INVALID_LABEL',
    metadata: { number: '7714', image: '1' },
    messages: (classifier) => {
      const batch = numberedBatch(1);
      return batchMessages(classifier, { ...batch, labels: batch.labels.with(1, { label: { $case: 'index', value: 9 } }) });
    },
  },
  {
    what: 'a checksum',
    reason: 'UPLOAD_CHECKSUM_MISMATCH',
    metadata: { retry: 'true' },
    messages: (classifier) => [...numbered(classifier, 1).slice(0, -1), commitOf(Buffer.from('other bytes'))],
  },
  {
    what: 'bytes that were not declared',
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: 'at least 6144 bytes came, 3072 were declared' },
    messages: (classifier) => {
      const [header, chunk, commit] = numbered(classifier, 1);
      return [header, chunk, chunk, chunk, commit].filter((message) => message !== undefined);
    },
  },
  {
    what: 'an image that cannot be decoded',
    reason: 'IMAGE_UNDECODABLE',
    metadata: { number: '5503', image: '0' },
    messages: async (classifier) => batchMessages(classifier, await encodedBatch(...[0, 1, 2, 3].map(() => Buffer.from('no image')))),
  },
  {
    what: 'an expected step',
    reason: 'STEP_MISMATCH',
    metadata: { got: '7', wanted: '1' },
    messages: (classifier) => numbered(classifier, 1, { expectedStep: 7n }),
  },
  {
    what: 'a parameter',
    reason: 'WRONG_VALUE',
    metadata: { number: '1303', name: 'momentum' },
    messages: (classifier) => numbered(classifier, 1, { params: [named('learning_rate', 0.5), named('momentum', 1)] }),
  },
  {
    what: 'a parameter that needs a call of its own',
    reason: 'UNKNOWN_PARAMETER',
    metadata: { number: '7713', name: 'batch_size' },
    messages: (classifier) => numbered(classifier, 1, { params: [named('batch_size', 2n)] }),
  },
  {
    what: 'the classifier',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'header.classifier' },
    messages: (classifier) => numbered(classifier, 1, { classifier: 'another' }),
  },
];

function commitOf(bytes: Uint8Array): TrainBatchesRequest {
  return { header: undefined, pixels: new Uint8Array(), commit: { crc32: crc32(bytes) }, call: undefined };
}

for (const { what, reason, metadata, messages } of REFUSED) {
  test(`${what} of batch 1 is refused as batch 1; the call ends, and no later batch trains`, async (t) => {
    const { client } = t.context;
    const classifier = await readCompact(client);
    const call = openBatches(client, classifier);
    const all = [numbered(classifier, 0), await messages(classifier), numbered(classifier, 2), numbered(classifier, 3)];
    for (const batch of all) void call.send(...batch);
    const { answers, error } = await call.rest();
    t.is(answers.length, 2);
    t.like(answers[0], { batch: 0, step: 1 });
    t.like(answers[1], { batch: 1, reason, metadata });
    t.is(error && errorInfo(error).reason, reason, 'the status of the call says the same');
    t.deepEqual(error && errorInfo(error).metadata, answers[1] && 'metadata' in answers[1] ? answers[1].metadata : {});
    t.true((await serialize(client, classifier)).equals(await oneByOne(client, [0])));
  });

  test(`${what} of batch 1 is refused as batch 1, and the call goes on if it was asked to`, async (t) => {
    const { client } = t.context;
    const classifier = await readCompact(client);
    const call = openBatches(client, classifier, { continueAfterRefusal: true });
    void call.send(...numbered(classifier, 0, { expectedStep: 0n }));
    void call.send(...(await messages(classifier)));
    for (const number of [2, 3]) void call.send(...numbered(classifier, number, { expectedStep: BigInt(number) }));
    call.end();
    const { answers, error } = await call.rest();
    t.is(error, null);
    t.deepEqual(
      answers.map((answer) => ('step' in answer ? answer.step : answer.reason)),
      [1, reason, 2, 3],
    );
    t.true((await serialize(client, classifier)).equals(await oneByOne(client, [0, 2, 3])));
  });
}

test('parameters that come with a batch are set right before its step', async (t) => {
  const { client } = t.context;
  const [classifier, twin] = [await readCompact(client), await readCompact(client)];
  const call = openBatches(client, classifier);
  const params = [named('learning_rate', 0.25), named('momentum', 0.5), named('weight_prior', 0.01)];
  void call.send(...numbered(classifier, 0));
  void call.send(...numbered(classifier, 1, { params }));
  void call.send(...numbered(classifier, 2));
  call.end();
  t.is((await call.rest()).answers.length, 3);
  await train(client, twin, numberedBatch(0));
  await setParams(client, twin, ...params);
  for (const number of [1, 2]) await train(client, twin, numberedBatch(number));
  t.true((await serialize(client, classifier)).equals(await serialize(client, twin)));
  t.deepEqual(await getParams(client, classifier, 'learning_rate'), { learning_rate: [0.25] });
});

test('a step that is refused leaves the parameters that came with it, too', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const before = await serialize(client, classifier);
  const call = openBatches(client, classifier);
  void call.send(...numbered(classifier, 0, { params: [named('learning_rate', 1e30)] }));
  t.like((await call.rest()).answers[0], { reason: 'STEP_DIVERGED' });
  t.true((await serialize(client, classifier)).equals(before));
});

test('somebody else who trains the same classifier is found out by expected_step', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const call = openBatches(client, classifier);
  await call.send(...numbered(classifier, 0, { expectedStep: 0n }));
  t.like(await call.next(), { step: 1 });
  await train(client, classifier);
  await call.send(...numbered(classifier, 1, { expectedStep: 1n }));
  t.like(await call.next(), { batch: 1, reason: 'STEP_MISMATCH', metadata: { got: '1', wanted: '2' } });
  t.is(await stepOf(client, classifier), 2n);
});

test('a repeated batch gets its first answer, in this call or another', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const call = openBatches(client, classifier);
  for (const number of [0, 1, 0]) void call.send(...numbered(classifier, number));
  call.end();
  const { answers } = await call.rest();
  t.deepEqual({ ...answers[2], batch: 0 }, answers[0]);
  const again = openBatches(client, classifier);
  for (const number of [1, 0, 2]) void again.send(...numbered(classifier, number));
  again.end();
  t.deepEqual(
    (await again.rest()).answers.map((answer) => 'step' in answer && answer.step),
    [2, 1, 3],
  );
});

test.serial('a call that is cancelled ends after the step that runs; the next call is told what was applied', async (t) => {
  const { client } = t.context;
  const options = { size: 128, batchSize: 16 };
  const classifier = await readCompact(client, options);
  const call = openBatches(client, classifier);
  const ids = ['b0', 'b1', 'b2', 'b3'];
  for (const [number, requestId] of ids.entries()) {
    void call.send(...batchMessages(classifier, numberedBatch(number, options), { requestId }));
  }
  await call.opened;
  await untilArrived(client);
  const rest = call.rest();
  await untilTraining(client, rest);
  call.cancel();
  t.is((await rest).error?.code, status.CANCELLED);
  const again = openBatches(client, classifier, { unanswered: ids });
  const { step, applied } = await again.opened;
  t.true(step >= 1n && step < 4n, `${step}: those that waited are dropped`);
  t.deepEqual(
    applied.map(({ requestId, response }) => [requestId, response?.step]),
    ids.slice(0, Number(step)).map((id, index) => [id, BigInt(index + 1)]),
  );
  again.end();
  t.is(await again.next(), undefined);
  t.is(await stepOf(client, classifier), step);
  const numbers = ids.slice(0, Number(step)).map((_, index) => index);
  t.true((await serialize(client, classifier)).equals(await oneByOne(client, numbers, options)));
});

/** Files that take a while to be decoded. */
async function slowBatch(): Promise<Batch> {
  const file = await png(6000, 6000, '#305070');
  const batch = await encodedBatch(...[0, 1, 2, 3].map(() => file));
  return { ...batch, images: { ...batch.images, preprocessing: { normalizeContrast: false } } };
}

for (const [how, cancelled] of [
  ['by TrainBatches, in a call that the server does not know to be dead', false],
  ['by TrainBatch, in a call that was cancelled', true],
] as const) {
  test.serial(`a batch that was committed ${how}, and is being decoded, is waited for`, async (t) => {
    const { client } = t.context;
    const classifier = await readCompact(client);
    const batch = await slowBatch();
    if (cancelled) {
      const call = openUpload(client, 'trainBatch');
      call.response.catch(() => {});
      for (const { call: _, ...message } of batchMessages(classifier, batch, { requestId: 'slow' })) await call.send(message);
      await untilArrived(client);
      call.cancel();
    } else {
      const call = openBatches(client, classifier);
      await call.opened;
      await call.send(...batchMessages(classifier, batch, { requestId: 'slow' }));
      await untilArrived(client);
      call.rest().catch(() => {});
    }
    t.is(await stepOf(client, classifier), 0n);
    const again = openBatches(client, classifier, { unanswered: ['slow'] });
    const { step, applied } = await again.opened;
    t.is(step, 1n);
    t.deepEqual(
      applied.map(({ requestId, response }) => [requestId, response?.step]),
      [['slow', 1n]],
    );
    again.end();
    await again.rest();
    t.is(await stepOf(client, classifier), 1n);
  });
}

test.serial('a step of another call that is refused meanwhile does not end the call that asks for its name', async (t) => {
  const { client } = t.context;
  const options = { size: 128, batchSize: 32 };
  const classifier = await readCompact(client, options);
  const before = train(client, classifier, numberedBatch(0, options));
  await untilTraining(client, before);
  const call = openBatches(client, classifier, { unanswered: ['refused'] });
  await untilArrived(client);
  const { images, labels } = numberedBatch(0, options);
  const pixels = new Float32Array(32 * 128 * 128 * 3).fill(500);
  const floats = { labels, images: { ...images, format: PixelFormat.PIXEL_FORMAT_FLOAT32 }, pixels: new Uint8Array(pixels.buffer) };
  const [first, ...rest] = trainMessages(classifier, floats);
  const header = first?.header && { ...first.header, requestId: 'refused' };
  const refused = refusalOf(upload(client, 'trainBatch', [{ header, pixels: new Uint8Array(), commit: undefined }, ...rest]));
  const { step, applied } = await call.opened;
  t.is(step, 1n);
  t.deepEqual(applied, []);
  t.is((await refused).reason, 'IMAGE_VALUE_OUT_OF_RANGE');
  call.end();
  t.is((await call.rest()).error, null);
  await before;
});

const MALFORMED: readonly { readonly what: string; readonly problem: RegExp; readonly messages: (c: string) => TrainBatchesRequest[] }[] = [
  { what: 'pixels without a header', problem: /no header/, messages: (c) => numbered(c, 1).slice(1) },
  {
    what: 'a second `call`',
    problem: /second `call`/,
    messages: (classifier) => {
      const call = { classifier, continueAfterRefusal: true, unanswered: [] };
      return [{ call, header: undefined, pixels: new Uint8Array(), commit: undefined }];
    },
  },
];

for (const { what, problem, messages } of MALFORMED) {
  test(`${what} ends even a call that goes on after refusals; the batches before it are answered`, async (t) => {
    const { client } = t.context;
    const classifier = await readCompact(client);
    const call = openBatches(client, classifier, { continueAfterRefusal: true });
    void call.send(...numbered(classifier, 0));
    void call.send(...messages(classifier), ...numbered(classifier, 2));
    const { answers, error } = await call.rest();
    t.like(answers, { 0: { step: 1 }, length: 1 });
    t.is(error && errorInfo(error).reason, 'UPLOAD_MALFORMED');
    t.regex(error?.details ?? '', problem);
    t.is(await stepOf(client, classifier), 1n);
  });
}

test('a call whose first message is a batch is refused', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const stream = client.trainBatches();
  for (const message of numbered(classifier, 0)) stream.write(message);
  const error = await t.throwsAsync(async () => {
    for await (const _ of stream) t.fail('it is answered');
  });
  t.regex(error?.message ?? '', /the first message has no `call`/);
});

test('a classifier that is not there is refused at once', async (t) => {
  const call = openBatches(t.context.client, 'none');
  const error = await t.throwsAsync<import('@grpc/grpc-js').ServiceError>(call.opened);
  t.is(errorInfo(error).metadata.number, '2450');
});
