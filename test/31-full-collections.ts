import test from 'ava';
import { ImageBatch, PixelFormat } from '../generated/dlclassifier/v1/image.js';
import { batchMessages, openBatches } from './support/batch_call.js';
import { connectTo } from './support/calls.js';
import { readCompact } from './support/classifier.js';
import { startDaemon } from './support/daemon.js';

const IMAGES = 32;
const SIZE = 224;
const STEPS = 400;

/** V8 writes a line to stdout for each collection. */
const TRACED = { NODE_OPTIONS: "--import=data:text/javascript,import{setFlagsFromString}from'node:v8';setFlagsFromString('--trace-gc')" };

test('images that come and go do not make V8 mark all that the daemon holds', async (t) => {
  const daemon = await startDaemon([], TRACED);
  t.teardown(() => daemon.stop());
  const client = connectTo(daemon.address);
  const classifier = await readCompact(client, { size: SIZE, batchSize: IMAGES });
  const format = PixelFormat.PIXEL_FORMAT_UINT8;
  const batch = {
    images: ImageBatch.fromPartial({ format, imageCount: IMAGES, width: SIZE, height: SIZE, channels: 3 }),
    labels: Array.from({ length: IMAGES }, (_, index) => ({ label: { $case: 'index', value: index % 2 } as const })),
    pixels: new Uint8Array(IMAGES * SIZE * SIZE * 3),
  };
  let refused = 0;
  const upload = async (steps: number) => {
    const stream = openBatches(client, classifier, { continueAfterRefusal: true });
    const rest = stream.rest();
    // Received as a whole and refused when they would be trained.
    const messages = batchMessages(classifier, batch, { expectedStep: 2n ** 40n });
    for (let step = 0; step < steps; step++) await stream.send(...messages);
    stream.end();
    const { answers, error } = await rest;
    t.is(error, null);
    refused += answers.filter((answer) => 'reason' in answer && answer.reason === 'STEP_MISMATCH').length;
  };
  const collections = () => daemon.stdout().match(/Mark-Compact/g)?.length ?? 0;
  await upload(STEPS / 2);
  const before = collections();
  await upload(STEPS);
  t.is(refused, STEPS / 2 + STEPS);
  t.true(daemon.stdout().includes('Scavenge'), 'collections are seen at all');
  const gibibytes = (STEPS * batch.pixels.byteLength) / 2 ** 30;
  t.true(collections() - before < 5 * gibibytes, `${collections() - before} full collections in ${gibibytes.toFixed(2)} GiB`);
  client.close();
});
