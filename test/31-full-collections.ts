import test from 'ava';
import { DlClassifierClient, StepMismatchError } from '../client/index.js';
import { startDaemon } from './support/daemon.js';

const IMAGES = 32;
const SIZE = 224;
const STEPS = 100;

/** V8 writes a line to stdout for each collection. */
const TRACED = { NODE_OPTIONS: "--import=data:text/javascript,import{setFlagsFromString}from'node:v8';setFlagsFromString('--trace-gc')" };

test('images that come and go do not make V8 mark all that the daemon holds', async (t) => {
  const daemon = await startDaemon([], TRACED);
  t.teardown(() => daemon.stop());
  const client = await DlClassifierClient.connect(daemon.address);
  const classifier = await client.readClassifier('compact', { seed: 1 });
  await classifier.setParam({ classes: ['a', 'b'], image_dimensions: [SIZE, SIZE, 3], batch_size: IMAGES });
  const images = { data: new Uint8Array(IMAGES * SIZE * SIZE * 3), shape: [IMAGES, SIZE, SIZE, 3] as const };
  const labels = Array.from({ length: IMAGES }, (_, index) => index % 2);
  let refused = 0;
  const upload = async (steps: number) => {
    // Received as a whole and refused when they would be trained.
    const options = { expectedStep: 2 ** 40, references: 'never', constantImages: true } as const;
    const onRefused = (error: unknown) => {
      if (!(error instanceof StepMismatchError)) throw error;
      refused++;
    };
    const batches = Array.from({ length: steps }, () => ({ images, labels }));
    for await (const _ of classifier.trainBatches(batches, { ...options, onRefused })) t.fail();
  };
  const collections = () => daemon.stdout().match(/Mark-Compact/g)?.length ?? 0;
  await upload(STEPS / 2);
  const before = collections();
  await upload(STEPS);
  t.is(refused, STEPS / 2 + STEPS);
  t.true(daemon.stdout().includes('Scavenge'), 'collections are seen at all');
  const gibibytes = (STEPS * images.data.byteLength) / 2 ** 30;
  t.true(collections() - before < 25 * gibibytes, `${collections() - before} full collections in ${gibibytes.toFixed(2)} GiB`);
  client.close();
});
