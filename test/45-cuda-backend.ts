/**
 * Memory of a GPU that others hold and that classifiers give back; a GPU that is lost by an illegal access. On the CUDA backend's own code: on
 * the host where DL_TEST_GPUS names dl_cuda_on_host.so, on a GPU where it names dl_failing_gpus.so (scripts/gpu does that).
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import anyTest from 'ava';
import { type Classifier, DlClassifierClient, DlClassifierError, type PixelBatch } from '../client/index.js';
import { CUDA_BACKEND, startGpuDaemon } from './support/gpu_daemon.js';
import { refusalOf } from './support/refusal_of.js';
import { HealthClient } from './support/services.js';
import { tensorsIn } from './support/tensors_in.js';

const test = CUDA_BACKEND === undefined ? anyTest.skip : anyTest.serial;

/** Exit status of a daemon that has lost a device. */
const DEVICE_LOST = 3;
const MIB = 2 ** 20;
/** Images of a batch. */
const LARGE = 256;
/** What the driver's granularity may add to the memory of a classifier. */
const ROUNDED_UP = 8 * MIB;
const SIZE = 16;

async function withGpu(work: (client: DlClassifierClient, daemon: Awaited<ReturnType<typeof startGpuDaemon>>) => Promise<void>) {
  const daemon = await startGpuDaemon({ memoryBytes: 2 ** 36 });
  const client = await DlClassifierClient.connect(daemon.address);
  try {
    await work(client, daemon);
  } finally {
    client.close();
    await daemon.stop();
  }
}

async function readSmall(client: DlClassifierClient, batchSize: number): Promise<Classifier> {
  const classifier = await client.readClassifier('compact', { seed: 5 });
  const place = { runtime: 'gpu', gpu: 0 } as const;
  await classifier.setParam({
    ...place,
    batch_size: batchSize,
    classes: ['good', 'bad'],
    image_dimensions: [SIZE, SIZE, 1],
    deterministic: true,
  });
  return classifier;
}

function images(count: number): PixelBatch {
  return { data: Uint8Array.from({ length: count * SIZE * SIZE }, (_, index) => (index * 37) % 251), shape: [count, SIZE, SIZE, 1] };
}

function train(classifier: Classifier, count: number) {
  return classifier.trainBatch(
    images(count),
    Array.from({ length: count }, (_, index) => index % 2),
  );
}

/** Of the first GPU, by all processes together, as the driver says; null where there is none. */
async function usedMemory(): Promise<number | null> {
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', ['--query-gpu=memory.used', '--format=csv,noheader,nounits', '--id=0']);
    return Number(stdout) * MIB;
  } catch {
    return null;
  }
}

test('a step that finds the memory full is 4104 with the largest batch that fits, and a step of that size succeeds', async (t) => {
  await withGpu(async (client, daemon) => {
    const [classifier, undisturbed] = [await readSmall(client, 2), await readSmall(client, 2)];
    for (const each of [classifier, undisturbed]) await train(each, 2);
    const before = await classifier.serialize();
    const { bytes } = await classifier.estimateMemory({ parameters: { batch_size: LARGE } });
    await daemon.fail('out_of_memory', 0, Math.floor(bytes / 2));
    await classifier.setParam({ batch_size: LARGE });
    const refusal = await refusalOf(DlClassifierError, train(classifier, LARGE));
    t.like(refusal, { reason: 'DEVICE_MEMORY_EXHAUSTED', number: 4104, status: status.RESOURCE_EXHAUSTED });
    t.deepEqual(tensorsIn(await classifier.serialize()), tensorsIn(before));
    const largest = Number(refusal.metadata.largest_batch_size);
    t.true(largest > LARGE / 4 && largest < LARGE, String(largest));
    await classifier.setParam({ batch_size: largest });
    t.is((await train(classifier, largest)).step, 2);
    await daemon.mend('out_of_memory', 0);
    await classifier.setParam({ batch_size: LARGE });
    t.is((await train(classifier, LARGE)).step, 3);
    // Nothing of the refused step is in its results.
    await undisturbed.setParam({ batch_size: largest });
    await train(undisturbed, largest);
    await undisturbed.setParam({ batch_size: LARGE });
    await train(undisturbed, LARGE);
    t.deepEqual(tensorsIn(await classifier.serialize()), tensorsIn(await undisturbed.serialize()));
  });
});

test('two classifiers that take turns on a GPU come to the same bits as each by itself', async (t) => {
  await withGpu(async (client) => {
    const alone: Buffer[] = [];
    for (const batch of [4, 6]) {
      const classifier = await readSmall(client, batch);
      for (let step = 0; step < 5; step++) await train(classifier, batch);
      alone.push(await classifier.serialize());
      await classifier.clear();
    }
    const together = await Promise.all(
      [4, 6].map(async (batch) => {
        const classifier = await readSmall(client, batch);
        for (let step = 0; step < 5; step++) await train(classifier, batch);
        return classifier.serialize();
      }),
    );
    t.deepEqual(together.map(tensorsIn), alone.map(tensorsIn));
  });
});

test("memory of a cleared classifier is the device's again, and many that come and go leave nothing behind", async (t) => {
  await withGpu(async (client, daemon) => {
    const comeAndGo = async (batch: number, look = usedMemory) => {
      const classifier = await readSmall(client, batch);
      await train(classifier, batch);
      const used = await look();
      await classifier.clear();
      return used;
    };
    // What libraries and the driver take once, they keep.
    await comeAndGo(LARGE);
    const before = await usedMemory();
    const during = await comeAndGo(LARGE);
    const after = await usedMemory();
    if (before === null || during === null) {
      t.log('no nvidia-smi: only that there is room again is examined');
    } else {
      t.log(`bytes used: ${before} before, ${during} with the classifier, ${after} after`);
      t.true(during > before);
    }
    t.is(after, before);
    // From now on there is room for a few of them, no more.
    const { bytes } = await client.estimateMemory('compact', {
      parameters: { runtime: 'gpu', gpu: 0, batch_size: 8, image_dimensions: [SIZE, SIZE, 1] },
      classCount: 2,
    });
    const room = bytes + ROUNDED_UP;
    await daemon.fail('out_of_memory', 0, room);
    // On the host each takes a second, and there is no driver that could keep anything.
    const cycles = before === null ? 20 : 200;
    for (let cycle = 0; cycle < cycles; cycle++) await comeAndGo(8, async () => 0);
    // So many that stay have no room.
    const stay = async () => {
      for (let opened = 0; opened < cycles; opened++) await train(await readSmall(client, 8), 8);
    };
    t.like(await refusalOf(DlClassifierError, stay()), { reason: 'DEVICE_MEMORY_EXHAUSTED' });
    t.log(`${bytes} bytes each, ${room} bytes of room`);
    await daemon.mend('out_of_memory', 0);
  });
});

test('an illegal access: the device is lost, callers get UNAVAILABLE, health is NOT_SERVING, what is on the CPU can be stored, the daemon ends with 3', async (t) => {
  const daemon = await startGpuDaemon({ memoryBytes: 2 ** 36 });
  const client = await DlClassifierClient.connect(daemon.address);
  const health = new HealthClient(daemon.address);
  const exited = once(daemon.process, 'exit');
  const [lost, onCpu] = [await readSmall(client, 2), await readSmall(client, 2)];
  await onCpu.setParam({ runtime: 'cpu' });
  for (const classifier of [lost, onCpu]) await train(classifier, 2);
  await daemon.fail('lost', 0);
  for (const use of [() => train(lost, 2), () => lost.serialize(), () => onCpu.setParam({ runtime: 'gpu' })]) {
    t.like(await refusalOf(DlClassifierError, use()), { reason: 'DEVICE_LOST', status: status.UNAVAILABLE });
  }
  t.is(await health.check(''), 'NOT_SERVING');
  t.is((await train(onCpu, 2)).step, 2);
  t.like(await onCpu.write('on-cpu'), { fileName: 'on-cpu.safetensors' });
  health.close();
  client.close();
  t.deepEqual(await exited, [DEVICE_LOST, null]);
  t.regex(daemon.stderr(), /cudaErrorIllegalAddress/);
  await t.throwsAsync(daemon.stop());
});
