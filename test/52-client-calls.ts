import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import {
  Classifier,
  ConnectionError,
  DeadlineExceededError,
  DlClassifierClient,
  FileNotFoundError,
  HandleClearedError,
  type Precision,
  UnknownHandleError,
  UnknownParameterError,
  WrongHandleKindError,
  WrongTypeError,
  WrongValueError,
} from '../client/index.js';
import { readSmall, testWithDaemon } from './support/client.js';
import { startDaemon } from './support/daemon.js';
import { noiseImages } from './support/noise.js';
import { CERTIFICATE, PRIVATE_KEY, startTlsProxy } from './support/tls_proxy.js';

const test = testWithDaemon();
const LABELS = ['good', 'bad', 0, 1];

test('one parameter is set and read by its name, with its own type', async (t) => {
  await using classifier = await t.context.client.readClassifier('compact');
  t.deepEqual(await classifier.setParam('learning_rate', 0.25), []);
  const learningRate: number = await classifier.getParam('learning_rate');
  t.is(learningRate, 0.25);
  // An integer is a real number, too.
  await classifier.setParam('learning_rate', 1);
  t.is(await classifier.getParam('learning_rate'), 1);
  t.deepEqual(await classifier.setParam('classes', ['a', 'b']), ['classifier']);
  const classes: readonly string[] = await classifier.getParam('classes');
  t.deepEqual(classes, ['a', 'b']);
});

test('several parameters are set together and read together', async (t) => {
  await using classifier = await t.context.client.readClassifier('pretrained_dl_classifier_compact.hdl');
  await classifier.setParam({
    image_dimensions: [20, 30, 1],
    batch_size: 3,
    deterministic: true,
    meta_data: { by: 'us' },
    momentum: undefined,
  });
  const values = await classifier.getParam(['image_dimensions', 'batch_size', 'deterministic', 'meta_data', 'type', 'precision']);
  const precision: Precision = values.precision;
  t.is(precision, 'float32');
  t.deepEqual(values, {
    image_dimensions: [20, 30, 1],
    batch_size: 3,
    deterministic: true,
    meta_data: { by: 'us' },
    type: 'compact',
    precision: 'float32',
  });
  const entries = [
    ['by', 'us'],
    ['__proto__', 'a key like any other'],
  ];
  await classifier.setParam('meta_data', Object.fromEntries(entries) as Record<string, string>);
  t.deepEqual(Object.entries(await classifier.getParam('meta_data')), entries);
  const all = await classifier.getAllParams();
  t.like(all, { image_width: 20, image_height: 30, momentum: 0.9, classes: [], step: 0 });
  t.is(Object.keys(all).length, 29);
});

test('lists may be empty: no class weights, nothing frozen', async (t) => {
  await using classifier = await t.context.client.readClassifier('compact');
  await classifier.setParam({ solver_type: 'adam', weight_decay: 1, classes: ['a', 'b'], class_weights: [1, 2], freeze: ['block1.*'] });
  const names = ['solver_type', 'weight_decay', 'class_weights', 'freeze'] as const;
  t.deepEqual(await classifier.getParam(names), { solver_type: 'adam', weight_decay: 1, class_weights: [1, 2], freeze: ['block1.*'] });
  await classifier.setParam({ class_weights: [], freeze: [], solver_type: 'sgd' });
  t.deepEqual(await classifier.getParam(names), { solver_type: 'sgd', weight_decay: 1, class_weights: [], freeze: [] });
  const error = await t.throwsAsync(classifier.setParam({ freeze: ['layer*'] }), { instanceOf: WrongValueError });
  t.regex(error?.message ?? '', /freeze.*layer\*.*a pattern that matches a layer with weights: block1\.conv, /);
});

test('types refuse what the server would refuse', async (t) => {
  await using classifier = await t.context.client.readClassifier('compact');
  // @ts-expect-error: read-only
  await t.throwsAsync(classifier.setParam('step', 3), { instanceOf: UnknownParameterError });
  // @ts-expect-error: no such parameter
  await t.throwsAsync(classifier.getParam('learning_speed'), { instanceOf: UnknownParameterError });
  // @ts-expect-error: a number is wanted
  await t.throwsAsync(classifier.setParam({ batch_size: 'many' }), { instanceOf: WrongTypeError });
  // @ts-expect-error: 1 or 3
  await t.throwsAsync(classifier.setParam('image_num_channels', 2), { message: /image_num_channels is 2/ });
  // @ts-expect-error: not a value of any parameter
  await t.throwsAsync(async () => classifier.setParam('momentum', null), { instanceOf: TypeError });
  await t.throwsAsync(classifier.setParam('batch_size', 1.5), { instanceOf: WrongTypeError });
  const error = await t.throwsAsync(classifier.setParam({ momentum: 0.5, learning_rate: -1 }), { instanceOf: WrongValueError });
  t.like(error, { number: 1303, reason: 'WRONG_VALUE', retryable: false });
  t.is(error?.metadata.name, 'learning_rate');
  t.is(await classifier.getParam('momentum'), 0.9, 'a refused call changes nothing');
});

test('a step tells its loss at once, and its parts when asked', async (t) => {
  await using classifier = await readSmall(t.context.client, { weight_prior: 0.01 });
  await using result = await classifier.trainBatch(noiseImages(4, [16, 16, 1]), LABELS);
  t.is(result.step, 1);
  t.is(await result.get('loss'), result.loss);
  const parts = await result.get(['loss_multinomial_logistic', 'loss_regularization', 'step', 'top1_error', 'time_total']);
  t.true(Math.abs(parts.loss_multinomial_logistic + parts.loss_regularization - result.loss) < 1e-6);
  t.true(parts.loss_regularization > 0);
  t.is(parts.step, 1);
  t.true([0, 0.25, 0.5, 0.75, 1].includes(parts.top1_error));
  await result.clear();
  await result.clear();
  await t.throwsAsync(result.get('loss'), { instanceOf: HandleClearedError });
});

test('images are classified: the best class of all, all classes of one', async (t) => {
  await using classifier = await readSmall(t.context.client);
  await using result = await classifier.apply(noiseImages(7, [16, 16, 1]));
  t.is(result.imageCount, 7);
  const best = await result.all();
  t.is(best.length, 7);
  for (const [index, prediction] of best.entries()) {
    const ranking = await result.image(index);
    t.deepEqual(ranking[0], prediction);
    t.deepEqual(ranking.map(({ className }) => className).sort(), ['bad', 'good']);
    t.true(ranking.every(({ className, classId }) => ['good', 'bad'][classId] === className));
    t.true(Math.abs(ranking.reduce((sum, { confidence }) => sum + confidence, 0) - 1) < 1e-5);
  }
  const error = await t.throwsAsync(result.image(7), { instanceOf: WrongValueError });
  t.is(error?.metadata.got, '7');
});

test('a classifier is stored, listed, read again and goes on as the first would have', async (t) => {
  const { client } = t.context;
  await using classifier = await readSmall(client);
  await using _first = await classifier.trainBatch(noiseImages(4, [16, 16, 1]), LABELS);
  const stored = await classifier.write('stored');
  t.is(stored.fileName, 'stored.safetensors');
  const { stored: files } = await client.listClassifiers();
  const file = files.find(({ fileName }) => fileName === stored.fileName);
  t.like(file, { type: 'compact', classCount: 2, step: 1, problem: '', sizeBytes: stored.sizeBytes });
  t.true(file?.modified instanceof Date);

  await using reread = await client.readClassifier('stored');
  await using fromBytes = await client.deserialize(await classifier.serialize());
  const losses: number[] = [];
  for (const copy of [classifier, reread, fromBytes]) {
    await using result = await copy.trainBatch(noiseImages(4, [16, 16, 1], 2), LABELS);
    losses.push(result.loss);
    t.is(result.step, 2);
  }
  t.is(new Set(losses).size, 1, `losses ${losses.join(', ')}`);
  t.true((await classifier.serialize()).equals(await reread.serialize()));
});

test('a classifier and a server describe themselves in plain numbers', async (t) => {
  const { client } = t.context;
  await using classifier = await readSmall(client);
  const { layers, parameterCount, memory, state } = await classifier.describe();
  t.is(state, 'ready');
  t.is(parameterCount, await classifier.getParam('num_trainable_params'));
  t.is(
    layers.reduce((sum, layer) => sum + layer.parameterCount, 0),
    parameterCount,
  );
  t.true((memory?.trainingBytes ?? 0) > (memory?.inferenceBytes ?? 0));
  const { limits, networks, devices } = await client.getServerInfo();
  t.is(limits?.streamsPerConnection, 16);
  t.deepEqual(networks.map(({ name }) => name).sort(), ['alexnet', 'compact', 'enhanced', 'mobilenet_v2', 'resnet18', 'resnet50']);
  t.true(devices.some(({ runtime, usable }) => runtime === 'cpu' && usable));
});

test('what is not there is named by its error', async (t) => {
  const { client } = t.context;
  const missing = await t.throwsAsync(client.readClassifier('nowhere'), { instanceOf: FileNotFoundError });
  t.is(missing?.metadata.file_name, 'nowhere');
  await t.throwsAsync(client.openHandle('0'.repeat(32)).getParam('step'), { instanceOf: UnknownHandleError });
  await using classifier = await readSmall(client);
  await using result = await classifier.trainBatch(noiseImages(4, [16, 16, 1]), LABELS);
  await t.throwsAsync(client.openHandle(result.handle).getParam('step'), { instanceOf: WrongHandleKindError });
});

test('a handle is a classifier for whoever has it', async (t) => {
  const { client } = t.context;
  await using classifier = await readSmall(client);
  await classifier.setParam('momentum', 0.125);
  await using other = await DlClassifierClient.connect(t.context.daemon.address);
  t.is(await other.openHandle(classifier.handle).getParam('momentum'), 0.125);
});

test('await using frees at the end of the block, also what has been freed already', async (t) => {
  const { client } = t.context;
  let handle = '';
  {
    await using classifier = await readSmall(client);
    handle = classifier.handle;
    await client.openHandle(handle).clear();
  }
  {
    await using classifier = await readSmall(client);
    handle = classifier.handle;
  }
  await t.throwsAsync(client.openHandle(handle).getParam('step'), { instanceOf: HandleClearedError });
});

test('await using does not hide what happened when the server went away', async (t) => {
  const daemon = await startDaemon();
  await using client = await DlClassifierClient.connect(daemon.address);
  const error = await t.throwsAsync(
    async () => {
      await using classifier = await readSmall(client);
      daemon.process.kill('SIGKILL');
      await classifier.trainBatch(noiseImages(4, [16, 16, 1]), LABELS, { retries: 0 });
    },
    { instanceOf: ConnectionError },
  );
  t.true(error?.retryable);
  await t.throwsAsync(daemon.stop(), { message: /SIGKILL/ });
});

test('an aborted signal ends each kind of call with its own reason', async (t) => {
  const { client } = t.context;
  await using classifier = await readSmall(client);
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  const images = noiseImages(4, [16, 16, 1]);
  const calls: (() => Promise<unknown>)[] = [
    () => DlClassifierClient.connect(t.context.daemon.address, { signal }),
    () => client.readClassifier('compact', { signal }),
    () => client.getServerInfo({ signal }),
    () => classifier.setParam({ momentum: 0.5 }, { signal }),
    () => classifier.trainBatch(images, LABELS, { signal }),
    () => classifier.apply(images, { signal }),
    () => classifier.serialize({ signal }),
    () => client.deserialize(new Uint8Array(10), { signal }),
  ];
  for (const call of calls) t.is(await t.throwsAsync(call), reason);

  const later = new AbortController();
  const running = t.throwsAsync(classifier.serialize({ signal: later.signal }));
  later.abort(reason);
  t.is(await running, reason);
  t.is(await classifier.getParam('step'), 0);
});

test('a timeout ends a call that nobody answers', async (t) => {
  // Accepts connections and says nothing.
  const silent = createServer((socket) => socket.unref()).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const error = await t.throwsAsync(DlClassifierClient.connect(address, { connectTimeoutMs: 200 }), { instanceOf: ConnectionError });
  t.true(error?.message.includes(address));
  silent.close();

  const impatient = await DlClassifierClient.connect(t.context.daemon.address, { timeoutMs: 0 });
  await t.throwsAsync(impatient.getServerInfo(), { instanceOf: DeadlineExceededError });
  t.is((await impatient.getServerInfo({ timeoutMs: 60_000 })).version, '0.1.0');
  impatient.close();
});

test('a server that is not there is a ConnectionError that names the address', async (t) => {
  const error = await t.throwsAsync(DlClassifierClient.connect('127.0.0.1:1', { connectTimeoutMs: 500 }), { instanceOf: ConnectionError });
  t.true(error?.retryable);
  t.regex(error?.message ?? '', /127\.0\.0\.1:1/);
});

test('TLS: a server whose certificate is trusted is reached, another is not', async (t) => {
  await using proxy = await startTlsProxy(t.context.daemon.address);
  const trusted = { rootCertificates: CERTIFICATE, serverName: 'classifier.test' };
  {
    await using client = await DlClassifierClient.connect(proxy.address, { tls: trusted });
    await using classifier = await readSmall(client);
    t.is((await classifier.trainBatch(noiseImages(4, [16, 16, 1]), LABELS)).step, 1);
  }
  for (const tls of [true, { rootCertificates: CERTIFICATE }, false]) {
    await t.throwsAsync(DlClassifierClient.connect(proxy.address, { tls, connectTimeoutMs: 500 }), { instanceOf: ConnectionError });
  }
});

test('TLS: a server that asks for a certificate gets one', async (t) => {
  await using proxy = await startTlsProxy(t.context.daemon.address, true);
  const tls = { rootCertificates: CERTIFICATE, serverName: 'classifier.test' };
  const own = { certificateChain: CERTIFICATE, privateKey: PRIVATE_KEY };
  await using client = await DlClassifierClient.connect(proxy.address, { tls: { ...tls, ...own } });
  t.is((await client.getServerInfo()).version, '0.1.0');
});

test('a client that was closed says so', async (t) => {
  const client = await DlClassifierClient.connect(t.context.daemon.address);
  client.close();
  const error = await t.throwsAsync(client.getServerInfo(), { instanceOf: ConnectionError, message: /was closed here/ });
  t.false(error?.retryable);
});

test('calls under way end when their client is closed', async (t) => {
  const { address } = t.context.daemon;
  const parameters = { image_dimensions: [128, 128, 1], batch_size: 64 } as const;
  // The single step may be applied all the same, and would be in the stream's way.
  await using alone = await readSmall(t.context.client, parameters);
  await using classifier = await readSmall(t.context.client, parameters);
  const images = noiseImages(64, [128, 128, 1]);
  const labels = Array.from({ length: 64 }, (_, index) => index % 2);
  const closedHere = { instanceOf: ConnectionError, message: /was closed here/ };

  const first = await DlClassifierClient.connect(address);
  const step = first.openHandle(alone.handle).trainBatch(images, labels);
  await pause(50);
  first.close();
  const error = await t.throwsAsync(step, closedHere);
  t.false(error?.retryable);

  const second = await DlClassifierClient.connect(address);
  let seen = 0;
  const stream = async () => {
    const batches = new Array(40).fill({ images, labels });
    for await (const _ of second.openHandle(classifier.handle).trainBatches(batches, { window: 4 })) if (++seen === 1) second.close();
  };
  await t.throwsAsync(stream, closedHere);
  t.true(seen <= 4, `${seen} results, those that had arrived`);
  t.true((await classifier.getParam('step')) < 10);
});

test('the library gives out classes that instanceof knows', async (t) => {
  await using classifier = await readSmall(t.context.client);
  t.true(classifier instanceof Classifier);
});
