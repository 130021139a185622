import type { Client } from '@grpc/grpc-js';
import type { TrainBatchRequest } from '../generated/dlclassifier/v1/classifier.js';
import { call, openUpload, upload } from './support/calls.js';
import { type Batch, noiseBatch, readCompact, serialize, stepOf, trainMessages, untilTraining } from './support/classifier.js';
import { getParams, named, refusalOf, setParams, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire();

interface Identity {
  readonly requestId?: string;
  readonly expectedStep?: bigint;
}

function messagesWith(classifier: string, { requestId = '', expectedStep }: Identity, batch?: Batch): TrainBatchRequest[] {
  const [first, ...rest] = trainMessages(classifier, batch);
  if (first?.header === undefined) throw new Error('the first message has no header');
  return [{ ...first, header: { ...first.header, requestId, expectedStep } }, ...rest];
}

const trainAs = (client: Client, classifier: string, identity: Identity, batch?: Batch) =>
  upload(client, 'trainBatch', messagesWith(classifier, identity, batch));

/** A batch that is not noiseBatch's. */
function otherBatch(): Batch {
  const batch = noiseBatch();
  return { ...batch, pixels: batch.pixels.map((value) => 255 - value) };
}

test('a repeated request gets the first answer and trains nothing', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const first = await trainAs(client, classifier, { requestId: 'a' });
  const before = await serialize(client, classifier);
  t.deepEqual(await trainAs(client, classifier, { requestId: 'a' }), first);
  t.true((await serialize(client, classifier)).equals(before));
  t.is((await trainAs(client, classifier, { requestId: 'b' })).step, 2n);
  t.deepEqual(await trainAs(client, classifier, { requestId: 'a' }), first);
  t.is((await train(client, classifier)).step, 3n);
});

test('a repeated request is answered although its expected step has passed and the parameters have changed', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const first = await trainAs(client, classifier, { requestId: 'a', expectedStep: 0n });
  await setParams(client, classifier, named('batch_size', 8n), named('classes', 'x', 'y'));
  t.deepEqual(await trainAs(client, classifier, { requestId: 'a', expectedStep: 0n }), first);
});

test.serial('a request that is repeated while the first still runs waits for it', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client, { size: 128, batchSize: 16 });
  const batch = noiseBatch({ size: 128, batchSize: 16 });
  const first = trainAs(client, classifier, { requestId: 'a' }, batch);
  await untilTraining(client, first);
  const answers = await Promise.all([
    first,
    trainAs(client, classifier, { requestId: 'a' }, batch),
    trainAs(client, classifier, { requestId: 'a' }, batch),
  ]);
  t.deepEqual(answers[1], answers[0]);
  t.deepEqual(answers[2], answers[0]);
  t.is(await stepOf(client, classifier), 1n);
});

test('of two requests with one id whose uploads cross, one trains', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const messages = messagesWith(classifier, { requestId: 'a' });
  const [slow, quick] = [openUpload(client, 'trainBatch'), openUpload(client, 'trainBatch')];
  for (const message of messages.slice(0, -1)) await slow.send(message);
  for (const message of messages) await quick.send(message);
  quick.end();
  const first = await quick.response;
  for (const message of messages.slice(-1)) await slow.send(message);
  slow.end();
  t.deepEqual(await slow.response, first);
  t.is(await stepOf(client, classifier), 1n);
});

test('a refused request is not remembered: the same id may try again', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  await setParams(client, classifier, named('learning_rate', 1e30));
  t.is((await refusalOf(trainAs(client, classifier, { requestId: 'a' }))).reason, 'STEP_DIVERGED');
  await setParams(client, classifier, named('learning_rate', 0.001));
  t.is((await trainAs(client, classifier, { requestId: 'a' })).step, 1n);
});

test('the same id at another classifier is another request', async (t) => {
  const { client } = t.context;
  const [a, b] = [await readCompact(client), await readCompact(client)];
  const [first, second] = [await trainAs(client, a, { requestId: 'x' }), await trainAs(client, b, { requestId: 'x' })];
  t.not(first.trainResult, second.trainResult);
  t.is(await stepOf(client, b), 1n);
});

test('a request id may have 128 characters', async (t) => {
  const { client } = t.context;
  t.is((await trainAs(client, await readCompact(client), { requestId: 'ä'.repeat(128) })).step, 1n);
});

test('of two batches for the same step one is trained, the other refused', async (t) => {
  const { client } = t.context;
  const [classifier, twin] = [await readCompact(client), await readCompact(client)];
  const both = [noiseBatch(), otherBatch()].map((batch) => trainAs(client, classifier, { expectedStep: 0n }, batch));
  const answers = await Promise.allSettled(both);
  const trained = answers.findIndex(({ status }) => status === 'fulfilled');
  const refused = both[1 - trained];
  t.true(trained >= 0 && refused !== undefined);
  const refusal = await refusalOf(refused ?? Promise.resolve());
  t.is(refusal.status, 'ABORTED');
  t.deepEqual({ got: refusal.metadata.got, wanted: refusal.metadata.wanted }, { got: '0', wanted: '1' });
  await train(client, twin, trained === 0 ? noiseBatch() : otherBatch());
  t.true((await serialize(client, classifier)).equals(await serialize(client, twin)));
});

test('an expected step that is right is no hindrance', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  for (let step = 0n; step < 3n; step++) t.is((await trainAs(client, classifier, { expectedStep: step })).step, step + 1n);
});

test('two batches at once are trained one after the other, never mixed', async (t) => {
  const { client } = t.context;
  const [classifier, abc, bac] = [await readCompact(client), await readCompact(client), await readCompact(client)];
  const answers = await Promise.all([train(client, classifier, noiseBatch()), train(client, classifier, otherBatch())]);
  t.deepEqual(answers.map(({ step }) => step).sort(), [1n, 2n]);
  for (const batch of [noiseBatch(), otherBatch()]) await train(client, abc, batch);
  for (const batch of [otherBatch(), noiseBatch()]) await train(client, bac, batch);
  const bytes = await serialize(client, classifier);
  const oneAfterTheOther = [await serialize(client, abc), await serialize(client, bac)];
  t.false(oneAfterTheOther[0]?.equals(oneAfterTheOther[1] ?? bytes), 'the order matters');
  t.true(oneAfterTheOther.some((expected) => expected.equals(bytes)));
});

test.serial('a parameter that is set during a step counts from the next', async (t) => {
  const { client } = t.context;
  const options = { size: 128, batchSize: 16 };
  const [classifier, twin] = [await readCompact(client, options), await readCompact(client, options)];
  const step = train(client, classifier, noiseBatch(options));
  await untilTraining(client, step);
  await Promise.all([step, setParams(client, classifier, named('learning_rate', 0.5), named('classes', 'x', 'y'))]);
  await train(client, twin, noiseBatch(options));
  await setParams(client, twin, named('learning_rate', 0.5), named('classes', 'x', 'y'));
  t.true((await serialize(client, classifier)).equals(await serialize(client, twin)));
});

test('a batch is checked again when its turn comes', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const late = openUpload(client, 'trainBatch');
  const messages = trainMessages(classifier);
  for (const message of messages.slice(0, -1)) await late.send(message);
  // Answered after the server has seen what was sent before on this connection.
  await getParams(client, classifier, 'step');
  await setParams(client, classifier, named('batch_size', 2n));
  const before = await serialize(client, classifier);
  for (const message of messages.slice(-1)) await late.send(message);
  late.end();
  t.is((await refusalOf(late.response)).metadata.number, '7800');
  t.true((await serialize(client, classifier)).equals(before));
});

test.serial('a classifier that is cleared during a step finishes it; what comes later is refused', async (t) => {
  const { client } = t.context;
  const options = { size: 128, batchSize: 16 };
  const classifier = await readCompact(client, options);
  const messages = trainMessages(classifier, noiseBatch(options));
  const late = openUpload(client, 'trainBatch');
  for (const message of messages.slice(0, -1)) await late.send(message);
  const step = train(client, classifier, noiseBatch(options));
  await untilTraining(client, step);
  const cleared = call(client, 'clearClassifier', { classifiers: [classifier] });
  t.is((await refusalOf(getParams(client, classifier))).metadata.number, '2454');
  for (const message of messages.slice(-1)) await late.send(message);
  late.end();
  t.is((await refusalOf(late.response)).metadata.number, '2454');
  const { trainResult } = await step;
  await cleared;
  const { results } = await call(client, 'getTrainResult', { trainResult, names: ['step'] });
  t.is(results.length, 1);
});
