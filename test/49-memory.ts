import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { DaemonProcess, type MemoryUse } from '../bench/wire/daemon_process.js';
import { type Classifier, DlClassifierClient, type Images, type PixelImage } from '../client/index.js';
import type { ClassifierServiceClient } from '../generated/dlclassifier/v1/classifier_service.js';
import { connectTo } from './support/calls.js';
import { noisePixels, putImages } from './support/stored_images.js';

interface Context {
  daemon: DaemonProcess;
  client: DlClassifierClient;
  classifier: Classifier;
  /** For calls that the library makes only where it must. */
  store: ClassifierServiceClient;
}

const test = anyTest as TestFn<Context>;

const SIZE = 8;
const BATCH = 2;
const LABELS = ['a', 'b'];

/** Steps after which all is filled that a classifier remembers of its last calls. */
const WARM_UP = 1100;

/** Of one kind of call, before what is in use is counted, and between that and the next count. */
const FIRST = 50;
const COUNTED = 200;

/** Objects of JavaScript and bytes outside its heap that a call may leave behind: one object a call is a leak, some in all are not. */
const OBJECTS = 0.5;
const EXTERNAL_BYTES = 256;

const pixels: Images = { data: Uint8Array.from({ length: BATCH * SIZE * SIZE * 3 }, (_, index) => index), shape: [BATCH, SIZE, SIZE, 3] };
const images: Images = LABELS.map(
  (_, number): PixelImage => ({ data: new Uint8Array(SIZE * SIZE * 3).fill(number), shape: [SIZE, SIZE, 3] }),
);

const stored = noisePixels([1, 2]);

function* batches(count: number, of: Images) {
  for (let step = 0; step < count; step++) yield { images: of, labels: LABELS };
}

test.before(async (t) => {
  const daemon = await DaemonProcess.start(['--listen', '127.0.0.1:0']);
  const client = await DlClassifierClient.connect(daemon.address);
  const classifier = await client.readClassifier('means');
  await classifier.setParam({ classes: LABELS, image_dimensions: [SIZE, SIZE, 3], batch_size: BATCH, learning_rate: 1e-4 });
  for await (const _ of classifier.trainBatches(batches(WARM_UP, pixels)));
  t.context = { daemon, client, classifier, store: connectTo(daemon.address) };
});

test.after.always(async ({ context: { client, store, daemon } }) => {
  store.close();
  client.close();
  await daemon[Symbol.asyncDispose]();
});

function expectNothingLeft(t: ExecutionContext<Context>, before: MemoryUse, after: MemoryUse): void {
  const objects = (after.objects - before.objects) / COUNTED;
  const external = (after.external - before.external) / COUNTED;
  t.log(`${objects.toFixed(2)} objects and ${external.toFixed(0)} bytes a call`);
  t.true(objects < OBJECTS);
  t.true(external < EXTERNAL_BYTES);
}

test.serial('a stream of batches that does not end leaves nothing behind', async (t) => {
  const { daemon, classifier } = t.context;
  const uses: MemoryUse[] = [];
  let step = 0;
  // With a window of 1 no batch is under way while this loop is at work.
  for await (const _ of classifier.trainBatches(batches(FIRST + COUNTED, pixels), { window: 1 })) {
    step++;
    if (step === FIRST || step === FIRST + COUNTED) uses.push(await daemon.memoryUse());
  }
  expectNothingLeft(t, uses[0] as MemoryUse, uses[1] as MemoryUse);
});

const CALLS: Record<string, (context: Context, count: number) => Promise<void>> = {
  'streams of a few batches': async ({ classifier }, count) => {
    for (let step = 0; step < count; step += 4) for await (const _ of classifier.trainBatches(batches(4, pixels)));
  },
  'streams of references': async ({ classifier }, count) => {
    for (let step = 0; step < count; step += 20)
      for await (const _ of classifier.trainBatches(batches(20, images), { references: 'always' }));
  },
  'single steps': async ({ classifier }, count) => {
    for (let step = 0; step < count; step++) await (await classifier.trainBatch(pixels, LABELS)).clear();
  },
  'images that are classified': async ({ classifier }, count) => {
    for (let call = 0; call < count; call++) await (await classifier.apply(pixels)).clear();
  },
  'batches that are refused': async ({ classifier }, count) => {
    for (let call = 0; call < count; call++) await classifier.trainBatch(pixels, ['a', 'no class']).catch(() => {});
  },
  'images that are stored already': async ({ store }, count) => {
    for (let call = 0; call < count; call++) await putImages(store, stored);
  },
  connections: async ({ daemon }, count) => {
    for (let call = 0; call < count; call += 4) {
      await using client = await DlClassifierClient.connect(daemon.address);
      await client.getServerInfo();
    }
  },
};

for (const [what, use] of Object.entries(CALLS)) {
  test.serial(`${what} leave nothing behind`, async (t) => {
    const { daemon } = t.context;
    await use(t.context, FIRST);
    const before = await daemon.memoryUse();
    await use(t.context, COUNTED);
    expectNothingLeft(t, before, await daemon.memoryUse());
  });
}
