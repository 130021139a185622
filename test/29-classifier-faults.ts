import anyTest, { type TestFn } from 'ava';
import type { EngineReason, Model, StagingBuffer } from '../native/index.js';
import { engineBinding } from '../native/index.js';
import type { CommittedBatch } from '../server/classifier/admission.js';
import { Classifier } from '../server/classifier/classifier.js';
import { inputSize, networkGraph } from '../server/classifier/plan.js';
import { Device } from '../server/devices/device.js';
import { Devices } from '../server/devices/devices.js';
import type { Reason } from '../server/errors/catalogue.js';
import { Refusal } from '../server/errors/refusal.js';
import { createLogger } from '../server/log.js';
import { compact } from '../server/networks/compact.js';
import { defaultSettings, type Settings } from '../server/parameters/settings.js';
import { refusalOf } from './support/refusal_of.js';

/** The real engine; a fault is put in front of single calls of the model, as no input provokes one. */
const test = anyTest as TestFn<{ devices: Devices }>;

test.before((t) => {
  t.context.devices = new Devices({ binding: engineBinding(), threads: 1, memoryBytes: 2 ** 30, log: createLogger('silent') });
});

test.after.always((t) => t.context.devices.close());

const SETTINGS: Settings = { ...defaultSettings(compact), classes: ['a', 'b'], batchSize: 2, imageWidth: 16, imageHeight: 16 };

type Faults = Partial<Record<keyof Model, EngineReason>>;

function fault(reason: EngineReason): Error {
  return Object.assign(new Error(`the fault ${reason}`), { name: 'EngineError', reason, metadata: { bytes: '123456' } });
}

function makeClassifier(devices: Devices, memoryBytes = 2 ** 30) {
  const device = new Device({ binding: engineBinding(), engine: devices.cpu.engine, runtime: 'cpu', index: 0, memoryBytes });
  const model = device.makeModel(networkGraph(compact, SETTINGS), inputSize(SETTINGS), 5n);
  const faults: Faults = {};
  const faulty = new Proxy(model, {
    get(target, name) {
      const reason = faults[name as keyof Model];
      if (reason !== undefined) return () => Promise.reject(fault(reason));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { classifier: new Classifier(compact, 5n, { device, model: faulty }, devices, { settings: SETTINGS, step: 3 }), faults };
}

function makeBatch(): { batch: CommittedBatch; buffer: StagingBuffer } {
  const pixels = Uint8Array.from({ length: 2 * 16 * 16 * 3 }, (_, index) => (index * 37) % 256);
  const buffer = new (engineBinding().StagingBuffer)(pixels.length);
  buffer.write(0, pixels);
  const images = { format: 'uint8', count: 2, width: 16, height: 16, channels: 3 } as const;
  const batch = {
    images,
    labels: ['a', 1],
    expectedStep: 3n,
    pixels: { buffer, format: 'uint8', count: 2 },
    parameters: [],
    uploadSeconds: 0,
    committed: 0,
  } as const;
  return { batch, buffer };
}

const MAPPED: readonly [EngineReason, Reason][] = [
  ['STEP_DIVERGED', 'STEP_DIVERGED'],
  ['IMAGE_OUT_OF_RANGE', 'IMAGE_VALUE_OUT_OF_RANGE'],
  ['OUT_OF_MEMORY', 'DEVICE_MEMORY_EXHAUSTED'],
  ['QUEUE_FULL', 'SERVER_BUSY'],
  ['CLOSED', 'SERVER_STOPPING'],
];

for (const [engineReason, reason] of MAPPED) {
  test(`a step that the engine refuses with ${engineReason} is refused with ${reason} and can be repeated`, async (t) => {
    const { classifier, faults } = makeClassifier(t.context.devices);
    const { batch, buffer } = makeBatch();
    const before = await classifier.toRecord();
    faults.train = engineReason;
    t.is((await refusalOf(Refusal, classifier.train(batch))).reason, reason);
    t.is(classifier.state, 'ready');
    t.deepEqual(await classifier.toRecord(), before);
    delete faults.train;
    t.is((await classifier.train(batch)).step, 4);
    buffer.close();
    await classifier.close();
  });
}

test('memory that the engine cannot have is told with the largest batch size', async (t) => {
  const { classifier, faults } = makeClassifier(t.context.devices);
  const { batch } = makeBatch();
  faults.train = 'OUT_OF_MEMORY';
  t.deepEqual((await refusalOf(Refusal, classifier.train(batch))).metadata, { largest_batch_size: '1', bytes: '123456' });
});

test('a defect of the engine ends the classifier: it can be looked at and cleared, and nothing else', async (t) => {
  const { classifier, faults } = makeClassifier(t.context.devices);
  const { batch } = makeBatch();
  faults.train = 'INTERNAL';
  await t.throwsAsync(classifier.train(batch), { message: 'the fault INTERNAL' });
  t.is(classifier.state, 'failed');
  delete faults.train;
  const attempts = [
    classifier.train(batch),
    classifier.apply(batch.images, batch.pixels, new AbortController().signal),
    classifier.setParameters([{ name: 'momentum', values: [0.5] }]),
    classifier.toRecord(),
  ];
  for (const attempt of attempts) {
    const refusal = await refusalOf(Refusal, attempt);
    t.is(refusal.reason, 'CLASSIFIER_FAILED');
    t.deepEqual(refusal.metadata, { problem: 'the fault INTERNAL' });
  }
  t.is(classifier.view.step, 3);
  await classifier.close();
  t.is(classifier.state, 'cleared');
});

test('a set whose memory cannot be had changes nothing, neither graph nor solver nor any weight', async (t) => {
  const { classifier } = makeClassifier(t.context.devices, Number.MAX_SAFE_INTEGER);
  const { batch, buffer } = makeBatch();
  await classifier.train(batch);
  const before = await classifier.toRecord();
  const assignments = [
    { name: 'classes', values: ['x', 'y', 'z'] },
    { name: 'image_dimensions', values: [1024n, 1024n, 1n] },
    { name: 'solver_type', values: ['adam'] },
    { name: 'batch_size', values: [2n ** 20n] },
    { name: 'runtime_init', values: ['immediately'] },
  ];
  t.is((await refusalOf(Refusal, classifier.setParameters(assignments))).reason, 'DEVICE_MEMORY_EXHAUSTED');
  t.deepEqual(await classifier.toRecord(), before);
  t.is((await classifier.train({ ...batch, expectedStep: 4n })).step, 5);
  buffer.close();
});

test('a classifier that is closed answers that its handle was cleared', async (t) => {
  const { classifier } = makeClassifier(t.context.devices);
  const { batch } = makeBatch();
  await Promise.all([classifier.close(), classifier.close()]);
  t.is((await refusalOf(Refusal, classifier.train(batch))).reason, 'HANDLE_CLEARED');
  t.is(classifier.state, 'cleared');
});

test('a caller who has left before its turn gets no answer and costs no time', async (t) => {
  const { classifier } = makeClassifier(t.context.devices);
  const { batch } = makeBatch();
  const reason = new Error('left');
  await t.throwsAsync(classifier.apply(batch.images, batch.pixels, AbortSignal.abort(reason)), { is: reason });
});
