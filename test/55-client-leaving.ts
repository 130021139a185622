import { once } from 'node:events';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { type Classifier, DlClassifierClient, type LabelledBatch } from '../client/index.js';
import { readSmall } from './support/client.js';
import { type Daemon, startDaemon } from './support/daemon.js';
import { noiseImages } from './support/noise.js';

// Leaving a loop of trainBatches where the server is gone or hangs: the loop ends, in time, and the source cleans up.

const test = anyTest as TestFn;

/** Milliseconds that a server which hangs is waited for. */
const TIMEOUT = 2000;

interface Started {
  readonly daemon: Daemon;
  readonly classifier: Classifier;
}

/** A daemon that the test may kill or halt. */
async function start(t: ExecutionContext): Promise<Started> {
  const daemon = await startDaemon();
  t.teardown(() => daemon.process.kill('SIGKILL'));
  const client = await DlClassifierClient.connect(daemon.address);
  t.teardown(() => client.close());
  return { daemon, classifier: await readSmall(client) };
}

async function kill({ process }: Daemon): Promise<void> {
  const exited = once(process, 'exit');
  process.kill('SIGKILL');
  await exited;
}

/** An endless source, and what becomes of it. */
function endless() {
  const source = { closed: false, batches };
  function* batches(): Generator<LabelledBatch> {
    try {
      for (let seed = 1; ; seed++) yield { images: noiseImages(4, [16, 16, 1], seed), labels: ['good', 'bad', 'bad', 'good'] };
    } finally {
      source.closed = true;
    }
  }
  return source;
}

test('a loop that is left while the server is gone ends without an error, and closes the source', async (t) => {
  const { daemon, classifier } = await start(t);
  const source = endless();
  for await (const { step } of classifier.trainBatches(source.batches(), { window: 4 })) {
    if (step < 3) continue;
    await kill(daemon);
    break;
  }
  t.true(source.closed);
});

test('an error of the loop, and of the source, is the one that is heard while the server is gone', async (t) => {
  const { daemon, classifier } = await start(t);
  const source = endless();
  const ours = new Error('enough');
  const left = async () => {
    for await (const { step } of classifier.trainBatches(source.batches(), { window: 4 })) {
      if (step < 3) continue;
      await kill(daemon);
      throw ours;
    }
  };
  t.is(await t.throwsAsync(left), ours);
  t.true(source.closed);

  const second = await start(t);
  const broken = new Error('the disk is full of holes');
  async function* batches() {
    for (const batch of endless().batches()) {
      yield batch;
      if ((await second.classifier.getParam('step')) < 3) continue;
      await kill(second.daemon);
      throw broken;
    }
  }
  const trained = async () => {
    for await (const _ of second.classifier.trainBatches(batches(), { window: 4 }));
  };
  t.is(await t.throwsAsync(trained), broken);
});

test('an error of the source when it closes is heard by whoever leaves the loop', async (t) => {
  const { daemon, classifier } = await start(t);
  const broken = new Error('the disk is full of holes');
  function* batches() {
    try {
      yield* endless().batches();
    } finally {
      // biome-ignore lint/correctness/noUnsafeFinally: what a source may do
      throw broken;
    }
  }
  const left = async () => {
    for await (const _ of classifier.trainBatches(batches(), { window: 4 })) {
      await kill(daemon);
      break;
    }
  };
  t.is(await t.throwsAsync(left), broken);
});

for (const [what, window] of [
  ['with batches under way', 4],
  ['with none under way', 1],
] as const) {
  test(`a server that hangs keeps nobody who leaves longer than the timeout, ${what}`, async (t) => {
    const { daemon, classifier } = await start(t);
    const source = endless();
    let since = 0;
    for await (const { step } of classifier.trainBatches(source.batches(), { window, timeoutMs: TIMEOUT, expectedStep: 0 })) {
      if (step < 3) continue;
      daemon.process.kill('SIGSTOP');
      since = performance.now();
      break;
    }
    const milliseconds = performance.now() - since;
    t.true(milliseconds < 2 * TIMEOUT + 3000, `${milliseconds} ms: the call's end, then clearing results`);
    t.true(source.closed);
  });
}
