import { readFile } from 'node:fs/promises';
import type { Client } from '@grpc/grpc-js';
import { DlClassifierClient } from '../client/index.js';
import type { EstimateMemoryRequest, EstimateMemoryResponse } from '../generated/dlclassifier/v1/memory.js';
import { MemoryPurpose } from '../generated/dlclassifier/v1/memory.js';
import { networks } from '../server/networks/index.js';
import { call, upload } from './support/calls.js';
import { noiseBatch, readCompact } from './support/classifier.js';
import type { Daemon } from './support/daemon.js';
import { applyMessages, getParams, named, refusalOf, setParams, testOverTheWire, train } from './support/wire.js';

const MIB = 2 ** 20;
/** Of all classifiers together. */
const MEMORY = 3000 * MIB;

const test = testOverTheWire(['--max-memory-bytes', String(MEMORY), '--threads', '2']);

type Subject = EstimateMemoryRequest['subject'];

const estimate = (client: Client, subject: Subject, request: Partial<EstimateMemoryRequest> = {}): Promise<EstimateMemoryResponse> =>
  call(client, 'estimateMemory', { subject, params: [], classCount: undefined, purpose: 0, budgetBytes: undefined, ...request });

const ofNetwork = (value: string): Subject => ({ $case: 'network', value });
const ofClassifier = (value: string): Subject => ({ $case: 'classifier', value });

/** Bytes that the newest of the open classifiers holds. */
async function heldBytes(client: Client): Promise<bigint> {
  const { open } = await call(client, 'listClassifiers', {});
  return open.at(-1)?.memoryBytes ?? 0n;
}

for (const network of networks) {
  test.serial(`${network.name}: the estimate is what is allocated, byte for byte`, async (t) => {
    const { client } = t.context;
    const { devices } = await call(client, 'getServerInfo', {});
    for (const precision of devices.find(({ runtime }) => runtime === 'cpu')?.precisions ?? []) {
      const size = BigInt(network.minSize + 10);
      const params = [named('image_dimensions', size, size, 1n), named('batch_size', 3n), named('precision', precision)];
      const estimated = await estimate(client, ofNetwork(network.name), { params, classCount: 7 });

      const { classifier } = await call(client, 'readClassifier', { fileName: network.name, pretrained: false, seed: 1n });
      const classes = named('classes', ...Array.from('abcdefg'));
      await setParams(client, classifier, ...params, classes, named('runtime_init', 'immediately'));
      t.is(await heldBytes(client), estimated.bytes, precision);
      t.deepEqual((await call(client, 'describeClassifier', { classifier })).memory, estimated.memory);
      await call(client, 'clearClassifier', { classifiers: [classifier] });
    }
  });
}

test.serial('what a classifier has is the default, other parameters are asked for and not set', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client, { size: 32, batchSize: 8 });
  const present = await estimate(client, ofClassifier(classifier));
  t.is(present.batchSize, 8);
  t.deepEqual(present.memory, (await call(client, 'describeClassifier', { classifier })).memory);
  const before = await getParams(client, classifier);
  const larger = await estimate(client, ofClassifier(classifier), {
    params: [named('image_dimensions', 64n, 64n, 3n), named('batch_size', 16n), named('classes', 'x', 'y')],
  });
  t.is(larger.batchSize, 16);
  // Eight times as many pixels.
  const ratio = Number(larger.memory?.trainingBytes) / Number(present.memory?.trainingBytes);
  t.true(ratio > 2 && ratio < 8, `${ratio}`);
  t.deepEqual(await getParams(client, classifier), before);
  await call(client, 'clearClassifier', { classifiers: [classifier] });
});

test.serial('training alone and applying alone need their part', async (t) => {
  const { client } = t.context;
  const [both, training, applying] = await Promise.all(
    [MemoryPurpose.MEMORY_PURPOSE_UNSPECIFIED, MemoryPurpose.MEMORY_PURPOSE_TRAINING, MemoryPurpose.MEMORY_PURPOSE_APPLYING].map(
      (purpose) => estimate(client, ofNetwork('resnet18'), { purpose }),
    ),
  );
  const { parametersBytes = 0n, trainingBytes = 0n, inferenceBytes = 0n } = both?.memory ?? {};
  t.is(both?.bytes, parametersBytes + trainingBytes + inferenceBytes);
  t.is(training?.bytes, parametersBytes + trainingBytes);
  t.is(applying?.bytes, parametersBytes + inferenceBytes);
  t.deepEqual([training?.memory, applying?.memory], [both?.memory, both?.memory]);
  t.true((applying?.largestBatchSize ?? 0) > (training?.largestBatchSize ?? 0));
});

for (const { name } of networks) {
  test.serial(`${name}: the largest batch size fits into the budget, and one more does not`, async (t) => {
    const { client } = t.context;
    const size = named('image_dimensions', 96n, 96n, 3n);
    const at = (batchSize: number) => estimate(client, ofNetwork(name), { params: [size, named('batch_size', BigInt(batchSize))] });
    const alone = Number((await at(1)).bytes);
    for (const budget of [alone - 1, alone, 2 * alone + 12_345_678, 30 * alone]) {
      const { largestBatchSize, budgetBytes } = await estimate(client, ofNetwork(name), { params: [size], budgetBytes: BigInt(budget) });
      t.is(budgetBytes, BigInt(budget));
      t.is(largestBatchSize === 0, budget < alone);
      if (largestBatchSize > 0) t.true((await at(largestBatchSize)).bytes <= budget);
      t.true((await at(largestBatchSize + 1)).bytes > budget);
    }
  });
}

test.serial('the default budget is what the other classifiers leave, and the number that a refused set names', async (t) => {
  const { client } = t.context;
  t.is((await call(client, 'getServerInfo', {})).limits?.memoryBytes, BigInt(MEMORY));
  t.is((await estimate(client, ofNetwork('compact'))).budgetBytes, BigInt(MEMORY));
  const other = await readCompact(client, { size: 64, batchSize: 64 });
  await setParams(client, other, named('runtime_init', 'immediately'));
  const held = await heldBytes(client);
  const classifier = await readCompact(client, { size: 32, batchSize: 8 });
  const params = [named('image_dimensions', 128n, 96n, 3n)];
  const { budgetBytes, largestBatchSize } = await estimate(client, ofClassifier(classifier), { params });
  t.is(budgetBytes, BigInt(MEMORY) - held);
  const before = await getParams(client, classifier);
  const refusal = await refusalOf(setParams(client, classifier, ...params, named('batch_size', BigInt(largestBatchSize + 1))));
  t.like(refusal.metadata, { number: '4104', largest_batch_size: String(largestBatchSize) });
  t.deepEqual(await getParams(client, classifier), before);
  await setParams(client, classifier, ...params, named('batch_size', BigInt(largestBatchSize)));
  await call(client, 'clearClassifier', { classifiers: [classifier, other] });
});

test.serial('a larger image and another precision are refused where the batch does not fit any more, a smaller one never', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client, { size: 64, batchSize: 8 });
  const largest = async () => (await estimate(client, ofClassifier(classifier))).largestBatchSize;
  const refuses = async (...params: Parameters<typeof named>) => {
    const before = await getParams(client, classifier);
    const refusal = await refusalOf(setParams(client, classifier, named(...params)));
    t.is(refusal.reason, 'DEVICE_MEMORY_EXHAUSTED');
    t.deepEqual(await getParams(client, classifier), before);
    const { largestBatchSize } = await estimate(client, ofClassifier(classifier), { params: [named(...params)] });
    t.is(refusal.metadata.largest_batch_size, String(largestBatchSize));
  };
  await setParams(client, classifier, named('batch_size', BigInt(await largest())));
  await refuses('image_width', 65n);
  await refuses('image_dimensions', 80n, 64n, 3n);
  await setParams(client, classifier, named('image_height', 48n));
  await setParams(client, classifier, named('classes', 'x', 'y', 'z'));

  const { devices } = await call(client, 'getServerInfo', {});
  if (devices.some(({ precisions }) => precisions.includes('bfloat16'))) {
    await setParams(client, classifier, named('precision', 'bfloat16'));
    await setParams(client, classifier, named('batch_size', BigInt(await largest())));
    await refuses('precision', 'float32');
  }
  await call(client, 'clearClassifier', { classifiers: [classifier] });
});

test.serial("a network's own batch size, which nobody set, does not stand in the way of sets that make it smaller", async (t) => {
  const { client } = t.context;
  const { classifier } = await call(client, 'readClassifier', { fileName: 'compact', pretrained: undefined, seed: undefined });
  const { bytes, batchSize } = await estimate(client, ofClassifier(classifier));
  t.true(bytes > MEMORY, `${batchSize} images need ${bytes} bytes`);
  await setParams(client, classifier, named('classes', 'x', 'y'));
  await setParams(client, classifier, named('image_width', 200n));
  t.is((await refusalOf(setParams(client, classifier, named('batch_size', BigInt(batchSize))))).reason, 'DEVICE_MEMORY_EXHAUSTED');
  await call(client, 'clearClassifier', { classifiers: [classifier] });
});

/** Bytes of memory that the daemon's process has in use. */
async function residentBytes({ process: { pid } }: Daemon): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

test.serial('the process grows by what was estimated when it trains and applies, and by little more', async (t) => {
  const { client, daemon } = t.context;
  // Kernels are compiled and buffers made that stay, whatever comes after.
  await train(client, await readCompact(client));
  const batchSize = 24;
  const { classifier } = await call(client, 'readClassifier', { fileName: 'resnet18', pretrained: false, seed: 1n });
  await setParams(client, classifier, named('classes', 'left', 'right', 'none'), named('image_dimensions', 128n, 128n, 3n));
  const before = await residentBytes(daemon);
  const held = Number(await heldBytes(client));
  await setParams(client, classifier, named('batch_size', BigInt(batchSize)));
  const { bytes } = await estimate(client, ofClassifier(classifier));
  const batch = noiseBatch({ size: 128, batchSize });
  for (let step = 0; step < 2; step++) await train(client, classifier, batch);
  await upload(client, 'applyClassifier', applyMessages(classifier, batch));
  const growth = (await residentBytes(daemon)) - before;
  const estimated = Number(bytes) - held;
  t.log(`${(growth / MIB).toFixed(1)} MiB, estimated ${(estimated / MIB).toFixed(1)}`);
  t.true(estimated > 300 * MIB);
  t.true(growth > 0.95 * estimated, 'what is estimated is used');
  t.true(growth < 1.02 * estimated + 32 * MIB, 'and little beside');
  await call(client, 'clearClassifier', { classifiers: [classifier] });
});

test.serial('the client library asks for a network and for a classifier', async (t) => {
  await using client = await DlClassifierClient.connect(t.context.daemon.address);
  const parameters = { image_dimensions: [64, 64, 3], batch_size: 32 } as const;
  const ofResnet = await client.estimateMemory('resnet18', { parameters, classCount: 5, purpose: 'applying', budgetBytes: 2 ** 30 });
  t.is(ofResnet.bytes, (ofResnet.memory?.parametersBytes ?? 0) + (ofResnet.memory?.inferenceBytes ?? 0));
  t.is(ofResnet.budgetBytes, 2 ** 30);
  t.true(ofResnet.largestBatchSize > 32);
  await using classifier = await client.readClassifier('resnet18', { pretrained: false });
  await classifier.setParam({ ...parameters, classes: ['a', 'b', 'c', 'd', 'e'] });
  t.deepEqual((await classifier.estimateMemory()).memory, ofResnet.memory);
  const { batchSize, memory } = await classifier.estimateMemory({ parameters: { batch_size: 64 } });
  t.is(batchSize, 64);
  t.true((memory?.trainingBytes ?? 0) > (ofResnet.memory?.trainingBytes ?? 0));
});
