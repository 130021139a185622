/** GPUs that compute wrong, run out of memory or are lost. They compute on the host: native/test/failing_gpus. */
import { once } from 'node:events';
import { status } from '@grpc/grpc-js';
import test from 'ava';
import { type Classifier, DlClassifierClient, DlClassifierError } from '../client/index.js';
import { startDaemon } from './support/daemon.js';
import { type GpuDaemon, type GpuFault, type GpuOptions, startGpuDaemon } from './support/gpu_daemon.js';
import { refusalOf } from './support/refusal_of.js';
import { HealthClient } from './support/services.js';

/** Exit status of a daemon that has lost a device. */
const DEVICE_LOST = 3;

async function withGpus(options: GpuOptions, work: (client: DlClassifierClient, daemon: GpuDaemon) => Promise<void>): Promise<void> {
  const daemon = await startGpuDaemon(options);
  const client = await DlClassifierClient.connect(daemon.address);
  try {
    await work(client, daemon);
  } finally {
    client.close();
    await daemon.stop().catch((error: unknown) => {
      if (daemon.process.exitCode !== DEVICE_LOST) throw error;
    });
  }
}

/** The 60 seconds that a GPU has to answer, and what a busy machine takes beside. */
const SECONDS_TO_STOP = 90;

/** Steps of 2 grey images. */
async function readSmall(client: DlClassifierClient, runtime: 'cpu' | 'gpu', gpu = 0): Promise<Classifier> {
  const classifier = await client.readClassifier('compact', { seed: 5 });
  await classifier.setParam({ runtime, gpu, batch_size: 2, classes: ['good', 'bad'], image_dimensions: [16, 16, 1] });
  return classifier;
}

const IMAGES = { data: Uint8Array.from({ length: 2 * 256 }, (_, index) => (index * 37) % 256), shape: [2, 16, 16, 1] } as const;

const train = (classifier: Classifier) => classifier.trainBatch(IMAGES, [0, 1]);

const WRONG: readonly [GpuFault, RegExp][] = [
  ['wrong_update', /it does not compute as it should: float32, sgd: .*the update is off by/],
  ['wrong_confidences', /float32, sgd: a confidence is off by/],
  ['out_of_memory', /the memory to be full|bytes of the device's memory are wanted/],
  ['lost', /the device is lost to this process/],
];

for (const [fault, problem] of WRONG) {
  test(`a GPU that fails its self-check by ${fault} is listed with what differed, refused with 4204, and not used`, async (t) => {
    await withGpus({ count: 2, faults: [[fault, 0]] }, async (client, daemon) => {
      const { devices } = await client.getServerInfo();
      t.deepEqual(
        devices.map(({ usable }) => usable),
        [true, false, true],
      );
      t.regex(devices[1]?.problem ?? '', problem);
      const classifier = await client.readClassifier('compact', { seed: 5 });
      t.like(await classifier.getParam(['runtime', 'gpu']), { runtime: 'gpu', gpu: 1 });
      const refusal = await refusalOf(DlClassifierError, classifier.setParam({ gpu: 0 }));
      t.like(refusal, { reason: 'NO_GPU', number: 4204, status: status.FAILED_PRECONDITION });
      t.regex(refusal.metadata.problem ?? '', problem);
      t.regex(refusal.metadata.remedy ?? '', /scripts\/gpu/);
      t.like(await classifier.getParam(['runtime', 'gpu']), { runtime: 'gpu', gpu: 1 });
      await daemon.logged(({ msg }) => msg === 'a GPU has not passed its self-check');
      // Nobody lost anything by it.
      const health = new HealthClient(daemon.address);
      t.is(await health.check(''), 'SERVING');
      health.close();
    });
  });
}

test('one that computes wrong in bfloat16 alone is found out as well', async (t) => {
  await withGpus({ faults: [['wrong_update_bfloat16', 0]] }, async (client) => {
    const { devices } = await client.getServerInfo();
    if (devices[1]?.precisions.includes('bfloat16')) {
      t.false(devices[1].usable);
      t.regex(devices[1].problem, /: bfloat16, sgd: /);
      t.notRegex(devices[1].problem, /: float32, sgd: /);
    }
    const classifier = await client.readClassifier('compact', { seed: 5 });
    t.is((await classifier.getParam(['runtime'])).runtime, devices[1]?.usable ? 'gpu' : 'cpu');
  });
});

test('memory that the GPU does not have is 4104; the classifier is unchanged and goes on', async (t) => {
  await withGpus({}, async (client, daemon) => {
    const [there, here] = [await readSmall(client, 'gpu'), await readSmall(client, 'cpu')];
    await train(there);
    await train(here);
    const before = [await there.serialize(), await here.serialize()];
    await daemon.fail('out_of_memory', 0);
    const refusal = await refusalOf(DlClassifierError, here.setParam({ runtime: 'gpu' }));
    t.like(refusal, { reason: 'DEVICE_MEMORY_EXHAUSTED', number: 4104, status: status.RESOURCE_EXHAUSTED });
    t.is(refusal.metadata.largest_batch_size, '0');
    t.like(await refusalOf(DlClassifierError, client.readClassifier('compact')), { reason: 'DEVICE_MEMORY_EXHAUSTED' });
    await daemon.mend('out_of_memory', 0);
    t.deepEqual([await there.serialize(), await here.serialize()], before);
    t.is((await here.getParam(['runtime'])).runtime, 'cpu');
    t.is((await train(there)).step, 2);
    await here.setParam({ runtime: 'gpu' });
    t.is((await train(here)).step, 2);
  });
});

test('a lost GPU: its classifiers are UNAVAILABLE, others can be stored, health is NOT_SERVING, the daemon ends with 3', async (t) => {
  await withGpus({ count: 2 }, async (client, daemon) => {
    const exited = once(daemon.process, 'exit');
    const health = new HealthClient(daemon.address);
    const [lost, other, onCpu] = [await readSmall(client, 'gpu', 0), await readSmall(client, 'gpu', 1), await readSmall(client, 'cpu')];
    for (const classifier of [lost, other, onCpu]) await train(classifier);
    await daemon.fail('lost', 0);
    const uses = [
      () => train(lost),
      () => lost.serialize(),
      () => lost.setParam({ runtime: 'cpu' }),
      () => onCpu.setParam({ runtime: 'gpu', gpu: 0 }),
    ];
    for (const use of uses) {
      const refusal = await refusalOf(DlClassifierError, use());
      t.like(refusal, { reason: 'DEVICE_LOST', status: status.UNAVAILABLE, metadata: { gpu: '0' } });
      t.regex(refusal.message, /GPU 0 is lost until the server is started anew .*last stored file/);
    }
    t.is(await health.check(''), 'NOT_SERVING');
    const { devices } = await client.getServerInfo();
    t.deepEqual(
      devices.map(({ usable }) => usable),
      [true, false, true],
    );
    t.is((await train(other)).step, 2);
    t.is((await train(onCpu)).step, 2);
    t.like(await other.write('other'), { fileName: 'other.safetensors' });
    await onCpu.write('on-cpu');
    await lost.clear();
    health.close();
    client.close();
    t.deepEqual(await exited, [DEVICE_LOST, null]);
    t.regex(daemon.stderr(), /a device is lost; the daemon will stop/);
  });
});

test('a daemon that is told to stop while GPUs are examined does so', async (t) => {
  await t.notThrowsAsync(withGpus({ count: 4 }, async (_client, daemon) => daemon.stop()));
});

test('a GPU that hangs in a step: a daemon that is told to stop finishes what others compute, then ends with 3', async (t) => {
  await withGpus({ count: 2 }, async (client, daemon) => {
    const exited = once(daemon.process, 'exit');
    const [hanging, other] = [await readSmall(client, 'gpu', 0), await readSmall(client, 'gpu', 1)];
    await daemon.fail('hang', 0);
    const unanswered = t.throwsAsync(train(hanging));
    await daemon.hangs(0);
    t.is((await train(other)).step, 1);
    const began = performance.now();
    daemon.process.kill('SIGTERM');
    t.deepEqual(await exited, [DEVICE_LOST, null]);
    t.true(performance.now() - began < SECONDS_TO_STOP * 1000);
    const { gpus } = (await daemon.logged(({ msg }) => /a GPU does not answer/.test(msg))) as unknown as { gpus: number[] };
    t.deepEqual(gpus, [0]);
    client.close();
    await unanswered;
  });
});

test('a GPU that hangs in its self-check does not keep a daemon from stopping either', async (t) => {
  const daemon = await startGpuDaemon({ faults: [['hang', 0]] });
  const exited = once(daemon.process, 'exit');
  await daemon.hangs(0);
  daemon.process.kill('SIGTERM');
  t.deepEqual(await exited, [DEVICE_LOST, null]);
  await t.throwsAsync(daemon.stop());
});

test('a backend that cannot be opened is told, and the CPU serves', async (t) => {
  const daemon = await startDaemon([], { DL_CLASSIFIER_CUDA_BACKEND: 'package.json' });
  const client = await DlClassifierClient.connect(daemon.address);
  const { devices } = await client.getServerInfo();
  t.deepEqual(
    devices.map(({ runtime, usable }) => [runtime, usable]),
    [
      ['cpu', true],
      ['gpu', false],
    ],
  );
  t.regex(devices[1]?.problem ?? '', /the CUDA backend cannot be loaded.*npm run build:cuda/);
  const classifier = await readSmall(client, 'cpu');
  t.is((await train(classifier)).step, 1);
  client.close();
  await daemon.stop();
});
