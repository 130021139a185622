import type { ExecutionContext } from 'ava';
import {
  type Classifier,
  ClassifierFailedError,
  DlClassifierClient,
  type DlClassifierError,
  HandleClearedError,
  type LabelledBatch,
  ServerBusyError,
  StepMismatchError,
  type TrainBatchesOptions,
} from '../client/index.js';
import { isOfTheBatch } from '../client/training/batch_refusal.js';
import { batchMessages, openBatches } from './support/batch_call.js';
import { connectTo } from './support/calls.js';
import { readCompact } from './support/classifier.js';
import { type ClientContext, readSmall, testWithDaemon } from './support/client.js';
import { startDaemon } from './support/daemon.js';
import { noiseImages } from './support/noise.js';

// With onRefused a stream goes on after a batch that is at fault, and after no other refusal.

const test = testWithDaemon();
const LABELS = ['good', 'bad', 'bad', 'good'];

function batch(seed: number): LabelledBatch {
  return { images: noiseImages(4, [16, 16, 1], seed), labels: LABELS };
}

/** What a training with onRefused comes to. */
async function train(
  classifier: Classifier,
  batches: Iterable<LabelledBatch>,
  options: TrainBatchesOptions,
  onStep = async (_: number) => {},
) {
  const refused: string[] = [];
  const steps: number[] = [];
  let error: unknown = null;
  const onRefused = ({ name }: DlClassifierError<string>) => void refused.push(name);
  try {
    for await (const { step } of classifier.trainBatches(batches, { ...options, onRefused })) {
      steps.push(step);
      await onStep(step);
    }
  } catch (thrown) {
    error = thrown;
  }
  return { refused, steps, error };
}

/** A daemon whose room for uploads is taken by somebody else until `leave` is called. */
async function startBusy(t: ExecutionContext<ClientContext>) {
  const daemon = await startDaemon(['--max-upload-bytes-total', '3500', '--max-upload-bytes', '3500']);
  t.teardown(() => daemon.stop());
  const client = await DlClassifierClient.connect(daemon.address);
  t.teardown(() => client.close());
  const other = connectTo(daemon.address);
  t.teardown(() => other.close());
  const holder = await readCompact(other);
  const upload = openBatches(other, holder);
  // 3072 bytes are announced and do not come; a batch of ours has 1024.
  await upload.opened;
  await upload.send(...batchMessages(holder).slice(0, 1));
  return { daemon, client, leave: () => upload.cancel() };
}

for (const references of ['never', 'auto'] as const) {
  test(`a server that has no room for the moment gets the batch again, in its order (references: ${references})`, async (t) => {
    const { daemon, client, leave } = await startBusy(t);
    await using classifier = await readSmall(client);
    const batches = Array.from({ length: 6 }, (_, seed) => batch(seed));
    const training = train(classifier, batches, { references, expectedStep: 0 });
    await daemon.logged(({ reason }) => reason === 'SERVER_BUSY');
    leave();
    t.deepEqual(await training, { refused: [], steps: [1, 2, 3, 4, 5, 6], error: null });
    await using twin = await readSmall(client);
    t.deepEqual((await train(twin, batches, {})).steps, [1, 2, 3, 4, 5, 6]);
    t.true((await classifier.serialize()).equals(await twin.serialize()));
  });
}

test('a server that stays busy ends the stream when the retries are used up, and no batch is left out', async (t) => {
  const { client, leave } = await startBusy(t);
  await using classifier = await readSmall(client);
  const { refused, steps, error } = await train(classifier, [batch(1), batch(2)], { references: 'never', retries: 2 });
  t.true(error instanceof ServerBusyError);
  t.deepEqual([refused, steps], [[], []]);
  leave();
});

for (const references of ['never', 'auto'] as const) {
  test(`somebody else's step ends the stream (references: ${references})`, async (t) => {
    await using classifier = await readSmall(t.context.client);
    let pulled = 0;
    function* batches() {
      for (; pulled < 200; pulled++) yield batch(pulled);
    }
    const { refused, error } = await train(classifier, batches(), { references, window: 2 }, async (step) => {
      if (step === 3) await classifier.trainBatch(batch(99).images, LABELS);
    });
    t.true(error instanceof StepMismatchError);
    t.deepEqual(refused, []);
    t.true(pulled < 20, `${pulled} batches taken from the source`);
  });

  test(`a classifier that was cleared ends the stream (references: ${references})`, async (t) => {
    const classifier = await readSmall(t.context.client);
    let pulled = 0;
    function* batches() {
      for (; pulled < 200; pulled++) yield batch(pulled);
    }
    const { refused, error } = await train(classifier, batches(), { references, window: 2 }, async (step) => {
      if (step === 3) await t.context.client.openHandle(classifier.handle).clear();
    });
    t.true(error instanceof HandleClearedError);
    t.deepEqual(refused, []);
    t.true(pulled < 20, `${pulled} batches taken from the source`);
  });
}

test('what the server asks for once more, or refuses because of the classifier, is not the batch at fault', (t) => {
  const details = { reason: null, number: null, status: 9, metadata: {} } as const;
  t.false(isOfTheBatch(new ServerBusyError('', { ...details, retryable: true })));
  t.false(isOfTheBatch(new ClassifierFailedError('', { ...details, retryable: false })));
});
