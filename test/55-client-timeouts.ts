import { DlClassifierClient, type TrainResult } from '../client/index.js';
import { readSmall, testWithDaemon } from './support/client.js';
import { noiseImages } from './support/noise.js';

// Node.js makes 1 ms of what its timers cannot hold, and gRPC refuses what its header cannot.

const test = testWithDaemon();
const LABELS = ['good', 'bad', 'bad', 'good'];
const IMAGES = noiseImages(4, [16, 16, 1], 1);

async function collect(results: AsyncIterable<TrainResult>): Promise<number[]> {
  const steps: number[] = [];
  for await (const { step } of results) steps.push(step);
  return steps;
}

for (const timeoutMs of [2 ** 31 - 1, 2 ** 31, 2 ** 53, Number.POSITIVE_INFINITY]) {
  test(`a timeout of ${timeoutMs} ms is none that passes`, async (t) => {
    const { address } = t.context.daemon;
    const options = { timeoutMs };
    const client = await DlClassifierClient.connect(address, { timeoutMs, transferTimeoutMs: timeoutMs, connectTimeoutMs: timeoutMs });
    await using classifier = await readSmall(client);
    const batches = Array.from({ length: 3 }, () => ({ images: IMAGES, labels: LABELS }));
    t.deepEqual(await collect(classifier.trainBatches(batches, options)), [1, 2, 3]);
    t.deepEqual(await collect(classifier.trainBatches(batches)), [4, 5, 6]);
    t.is((await classifier.trainBatch(IMAGES, LABELS, options)).step, 7);
    t.is((await (await classifier.apply(IMAGES, options)).all()).length, 4);
    t.true((await classifier.serialize(options)).byteLength > 0);
    t.is(await classifier.getParam('step', options), 7);
    client.close();
  });
}
