/** --max-memory-bytes holds for classifiers that are opened, trained and applied at the same time. */
import type { Client } from '@grpc/grpc-js';
import { call, upload } from './support/calls.js';
import { noiseBatch, readCompact, serialize } from './support/classifier.js';
import { applyMessages, deserializeMessages, named, refusalOf, setParams, testOverTheWire, train } from './support/wire.js';

const MIB = 2 ** 20;
/** Room for two resnet18 with their momentum, 89.2 MiB each, and for no third one. */
const MEMORY = 250 * MIB;

const test = testOverTheWire(['--max-memory-bytes', String(MEMORY), '--threads', '1']);

const openResnet = async (client: Client): Promise<string> =>
  (await call(client, 'readClassifier', { fileName: 'resnet18', pretrained: false, seed: 1n })).classifier;

/** Of all open classifiers. */
async function heldBytes(client: Client): Promise<number> {
  const { open } = await call(client, 'listClassifiers', {});
  return open.reduce((sum, { memoryBytes }) => sum + Number(memoryBytes), 0);
}

/** Those that were opened, of calls that may be refused. */
async function opened(calls: readonly Promise<string>[]): Promise<{ classifiers: string[]; refused: Promise<string>[] }> {
  const outcomes = await Promise.allSettled(calls);
  const classifiers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  return { classifiers, refused: calls.filter((_, index) => outcomes[index]?.status === 'rejected') };
}

test.serial('as many classifiers are opened as fit, one after the other or at once', async (t) => {
  const { client } = t.context;
  const first = await openResnet(client);
  const { classifiers, refused } = await opened(Array.from({ length: 6 }, () => openResnet(client)));
  t.is(classifiers.length, 1);
  for (const call of refused) {
    const { reason, message, metadata } = await refusalOf(call);
    t.is(reason, 'DEVICE_MEMORY_EXHAUSTED');
    t.like(metadata, { number: '4104', largest_batch_size: '0' });
    t.regex(message, /clear other classifiers, or start the server with a larger --max-memory-bytes/);
  }
  t.true((await heldBytes(client)) <= MEMORY);
  await call(client, 'clearClassifier', { classifiers: [first] });
  await call(client, 'clearClassifier', { classifiers: [await openResnet(client), ...classifiers] });
  t.is(await heldBytes(client), 0);
});

test.serial('classifiers that are deserialised, too, and what was refused leaves nothing behind', async (t) => {
  const { client } = t.context;
  const first = await openResnet(client);
  const bytes = await serialize(client, first);
  const deserialize = async () => (await upload(client, 'deserializeClassifier', deserializeMessages(bytes))).classifier;
  const { classifiers, refused } = await opened(Array.from({ length: 3 }, deserialize));
  t.is(classifiers.length, 1);
  for (const call of refused) t.is((await refusalOf(call)).reason, 'DEVICE_MEMORY_EXHAUSTED');
  await call(client, 'clearClassifier', { classifiers: [first, ...classifiers] });
  t.is(await heldBytes(client), 0);
});

/** Two classifiers of which each fits alone, when it is trained and applied in turns, and both do not. */
async function twoOfWhichOneFits(client: Client): Promise<string[]> {
  const classifiers = [await readCompact(client), await readCompact(client)];
  for (const classifier of classifiers) {
    await setParams(client, classifier, named('image_dimensions', 64n, 64n, 3n));
    const { largestBatchSize } = await call(client, 'estimateMemory', {
      subject: { $case: 'classifier', value: classifier },
      params: [],
      classCount: undefined,
      purpose: 0,
      budgetBytes: BigInt(0.8 * MEMORY),
    });
    await setParams(client, classifier, named('batch_size', BigInt(largestBatchSize)));
  }
  return classifiers;
}

async function batchSizeOf(client: Client, classifier: string): Promise<number> {
  const { params } = await call(client, 'getParam', { classifier, names: ['batch_size'] });
  const value = params[0]?.values[0]?.value;
  return value?.$case === 'intValue' ? Number(value.value) : 0;
}

test.serial('of two first steps at the same time one is refused, and made when there is room', async (t) => {
  const { client } = t.context;
  const classifiers = await twoOfWhichOneFits(client);
  const batch = noiseBatch({ size: 64, batchSize: await batchSizeOf(client, classifiers[0] ?? '') });
  const steps = classifiers.map((classifier) => train(client, classifier, batch));
  const outcomes = await Promise.allSettled(steps);
  t.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  const refused = outcomes.findIndex(({ status }) => status === 'rejected');
  const { reason, metadata } = await refusalOf(steps[refused] ?? Promise.resolve());
  t.is(reason, 'DEVICE_MEMORY_EXHAUSTED');
  t.true(Number(metadata.largest_batch_size) < batch.labels.length);
  t.true((await heldBytes(client)) <= MEMORY);
  await call(client, 'clearClassifier', { classifiers: [classifiers[1 - refused] ?? ''] });
  t.is((await train(client, classifiers[refused] ?? '', batch)).step, 1n);
  await call(client, 'clearClassifier', { classifiers: [classifiers[refused] ?? ''] });
});

test.serial('classifiers that are applied at the same time take what applying needs, and no more', async (t) => {
  const { client } = t.context;
  const classifiers = await twoOfWhichOneFits(client);
  const batch = noiseBatch({ size: 64, batchSize: await batchSizeOf(client, classifiers[0] ?? '') });
  for (let turn = 0; turn < 2; turn++) {
    await Promise.all(classifiers.map((classifier) => upload(client, 'applyClassifier', applyMessages(classifier, batch))));
  }
  t.true((await heldBytes(client)) <= MEMORY);
  await call(client, 'clearClassifier', { classifiers });
});

test.serial('of two whose plans are allocated by a set one is refused', async (t) => {
  const { client } = t.context;
  const classifiers = await twoOfWhichOneFits(client);
  const sets = classifiers.map((classifier) => setParams(client, classifier, named('runtime_init', 'immediately')));
  const outcomes = await Promise.allSettled(sets);
  t.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  t.true((await heldBytes(client)) <= MEMORY);
  await call(client, 'clearClassifier', { classifiers });
});
