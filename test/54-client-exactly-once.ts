import { ConnectionError, DlClassifierClient, StepMismatchError } from '../client/index.js';
import { readSmall, testWithDaemon } from './support/client.js';
import { startCuttingProxy } from './support/cutting_proxy.js';
import { noiseImages } from './support/noise.js';

const test = testWithDaemon();
/** 64 images of 64 x 64: several chunks. */
const SHAPE = [64, 64, 1] as const;
const PARAMETERS = { image_dimensions: [64, 64, 1], batch_size: 64 } as const;
const LABELS = Array.from({ length: 64 }, (_, index) => index % 2);
const IMAGES = noiseImages(64, SHAPE);

test('a step whose answer was lost is sent again, and has been applied once', async (t) => {
  await using proxy = await startCuttingProxy(t.context.daemon.address);
  await using client = await DlClassifierClient.connect(proxy.address);
  await using twin = await readSmall(t.context.client, PARAMETERS);
  const { loss } = await twin.trainBatch(IMAGES, LABELS);
  await using classifier = await readSmall(client, PARAMETERS);
  const cut = proxy.cutAfter(IMAGES.data.length);
  const result = await classifier.trainBatch(IMAGES, LABELS);
  await cut;
  t.is(proxy.connections(), 2);
  t.is(result.step, 1);
  t.is(result.loss, loss);
  t.is(await classifier.getParam('step'), 1);
  t.true((await classifier.serialize()).equals(await twin.serialize()));
});

test('a step whose upload was cut off is sent again, and has been applied once', async (t) => {
  await using proxy = await startCuttingProxy(t.context.daemon.address);
  await using client = await DlClassifierClient.connect(proxy.address);
  await using classifier = await readSmall(client, PARAMETERS);
  let pulled = 0;
  // The connection breaks while batch 2 waits for its turn, and batch 1 for its answer.
  const cut = proxy.cutAfter(IMAGES.data.length * 2);
  function* batches() {
    while (pulled < 4) {
      pulled++;
      yield { images: IMAGES, labels: LABELS };
    }
  }
  const steps: number[] = [];
  for await (const { step } of classifier.trainBatches(batches(), { window: 2, expectedStep: 0 })) steps.push(step);
  await cut;
  t.deepEqual(steps, [1, 2, 3, 4]);
  t.is(await classifier.getParam('step'), 4);
});

test('without retries the caller hears of the broken connection', async (t) => {
  await using proxy = await startCuttingProxy(t.context.daemon.address);
  await using client = await DlClassifierClient.connect(proxy.address);
  await using classifier = await readSmall(client, PARAMETERS);
  const cut = proxy.cutAfter(IMAGES.data.length);
  const requestId = 'by hand';
  const error = await t.throwsAsync(classifier.trainBatch(IMAGES, LABELS, { retries: 0, requestId }), { instanceOf: ConnectionError });
  await cut;
  t.true(error?.retryable);
  t.is((await classifier.trainBatch(IMAGES, LABELS, { requestId })).step, 1, 'the answer to the first call');
});

test('a repeated request id gives the first result; a new one trains', async (t) => {
  await using classifier = await readSmall(t.context.client, PARAMETERS);
  const first = await classifier.trainBatch(IMAGES, LABELS, { requestId: 'one' });
  const again = await classifier.trainBatch(IMAGES, LABELS, { requestId: 'one' });
  t.deepEqual([again.step, again.loss, again.handle], [1, first.loss, first.handle]);
  t.is((await classifier.trainBatch(IMAGES, LABELS)).step, 2);
  t.is((await classifier.trainBatch(IMAGES, LABELS)).step, 3, 'each call has an id of its own');
});

test('a step that is not the next one is refused', async (t) => {
  await using classifier = await readSmall(t.context.client, PARAMETERS);
  t.is((await classifier.trainBatch(IMAGES, LABELS, { expectedStep: 0 })).step, 1);
  for (const expectedStep of [0, 2]) {
    const error = await t.throwsAsync(classifier.trainBatch(IMAGES, LABELS, { expectedStep }), { instanceOf: StepMismatchError });
    t.deepEqual([error?.metadata.got, error?.metadata.wanted], [String(expectedStep), '1']);
  }
  t.is(await classifier.getParam('step'), 1);
});
