import { getEventListeners } from 'node:events';
import type { LabelledBatch, PixelImage } from '../client/index.js';
import { readSmall, testWithDaemon } from './support/client.js';
import { noiseImages } from './support/noise.js';

const test = testWithDaemon();
const SHAPE = [64, 64, 1] as const;

/** Batches of images that are named. */
function batches(count: number): LabelledBatch[] {
  return Array.from({ length: count }, (_, number) => ({
    images: Array.from({ length: 4 }, (_, index): PixelImage => ({ data: noiseImages(1, SHAPE, 4 * number + index).data, shape: SHAPE })),
    labels: ['good', 'bad', 'bad', 'good'],
  }));
}

test.serial('a signal that many trainings share keeps no listener of those that are over', async (t) => {
  await using classifier = await readSmall(t.context.client, { image_dimensions: [...SHAPE] });
  const { signal } = new AbortController();
  for (let epoch = 0; epoch < 12; epoch++) {
    for await (const { step } of classifier.trainBatches(batches(2), { signal })) if (step % 7 === 0) break;
    t.is(getEventListeners(signal, 'abort').length, 0, `after epoch ${epoch}`);
  }
});

test.serial('a call that ended while its sender waited for a batch leaves no timer, which would keep the process', async (t) => {
  await using classifier = await readSmall(t.context.client, { image_dimensions: [...SHAPE] });
  const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  const before = timers();
  let onRefused = () => {};
  const refused = new Promise<void>((resolve) => {
    onRefused = resolve;
  });
  async function* source() {
    const [first, second] = batches(2) as [LabelledBatch, LabelledBatch];
    yield { ...first, labels: ['neither', 'good', 'bad', 'good'] };
    await refused;
    yield second;
  }
  for await (const _ of classifier.trainBatches(source(), { onRefused }));
  t.true(timers() <= before, `${before} timers before, ${timers()} afterwards`);
});

test.serial('a window of many batches warns of no leak', async (t) => {
  await using classifier = await readSmall(t.context.client, { image_dimensions: [...SHAPE] });
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  let steps = 0;
  for await (const _ of classifier.trainBatches(batches(40), { window: 24, references: 'always' })) steps++;
  await new Promise(setImmediate);
  process.off('warning', onWarning);
  t.is(steps, 40);
  t.deepEqual(warnings, []);
});
