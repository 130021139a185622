import type { ClientHttp2Session } from 'node:http2';
import { type ServiceError, status } from '@grpc/grpc-js';
import anyTest, { type TestFn } from 'ava';
import { type ClassifierServiceClient, ClassifierServiceService } from '../generated/dlclassifier/v1/classifier_service.js';
import { call, connectTo, errorInfo, type Method } from './support/calls.js';
import { readCompact } from './support/classifier.js';
import { type Daemon, startDaemon } from './support/daemon.js';
import { endOf, grpcFrame, openSession, startCall } from './support/raw_http2.js';

interface Context {
  daemon: Daemon;
  client: ClassifierServiceClient;
  session: ClientHttp2Session;
}

const test = anyTest as TestFn<Context>;

test.before(async (t) => {
  t.context.daemon = await startDaemon();
  t.context.client = connectTo(t.context.daemon.address);
  t.context.session = openSession(t.context.daemon.address);
});

test.after.always(async (t) => {
  t.context.client.close();
  t.context.session.close();
  await t.context.daemon.stop();
});

/** What an empty request of these calls is answered with; all others are refused for want of a handle. */
const ANSWERS_TO_NOTHING: Partial<Record<Method, status>> = {
  clearTrainResult: status.OK,
  clearResult: status.OK,
  clearClassifier: status.OK,
  listClassifiers: status.OK,
  getServerInfo: status.OK,
  readClassifier: status.NOT_FOUND,
  trainBatch: status.INVALID_ARGUMENT,
  trainBatches: status.INVALID_ARGUMENT,
  applyClassifier: status.INVALID_ARGUMENT,
  deserializeClassifier: status.INVALID_ARGUMENT,
  importWeights: status.INVALID_ARGUMENT,
  estimateMemory: status.INVALID_ARGUMENT,
};

// One after the other: together they are more calls than a connection may have at a time.
for (const method of Object.keys(ClassifierServiceService) as Method[]) {
  test.serial(`${method} has a handler, which answers an empty request`, async (t) => {
    const stream = startCall(t.context.session, method);
    stream.end(grpcFrame(new Uint8Array()));
    t.is((await endOf(stream)).grpcStatus, ANSWERS_TO_NOTHING[method] ?? status.NOT_FOUND);
  });
}

test('a refusal carries status, message, reason, domain, number, retry and the data to mend the call', async (t) => {
  const error = await t.throwsAsync<ServiceError>(call(t.context.client, 'getParam', { classifier: 'none', names: [] }));
  t.is(error.code, status.NOT_FOUND);
  t.true(error.details.length > 0);
  t.deepEqual(errorInfo(error), {
    reason: 'UNKNOWN_HANDLE',
    domain: 'dlclassifier.v1',
    metadata: { handle_kind: 'classifier', number: '2450', retry: 'false' },
  });
});

test('a refusal that quotes a name of a megabyte stays small enough for any client', async (t) => {
  const classifier = await readCompact(t.context.client);
  // Two UTF-16 units each, so that the cut falls inside one.
  const name = 'x'.concat('\u{1F600}'.repeat(200_000));
  const error = await t.throwsAsync<ServiceError>(call(t.context.client, 'getParam', { classifier, names: [name] }));
  t.is(error.code, status.INVALID_ARGUMENT);
  const { reason, metadata } = errorInfo(error);
  t.is(reason, 'UNKNOWN_PARAMETER');
  t.true((metadata.name ?? '').startsWith('x\u{1F600}') && (metadata.name ?? '').length <= 1024);
  t.true(error.details.length <= 1024);
});

test('a message in any language comes back as it was', async (t) => {
  const error = await t.throwsAsync<ServiceError>(
    call(t.context.client, 'readClassifier', { fileName: 'Grüße 100 % 雨', pretrained: undefined, seed: undefined }),
  );
  t.true(error.details.includes('Grüße 100 % 雨'));
});

test('GetServerInfo tells version, devices, limits and networks', async (t) => {
  const { version, devices, limits, networks } = await call(t.context.client, 'getServerInfo', {});
  t.regex(version, /^\d+\.\d+\.\d+$/);
  const [cpu, gpu] = devices;
  t.like(cpu, { runtime: 'cpu', index: 0, usable: true, problem: '' });
  t.true((cpu?.threads ?? 0) >= 1 && (cpu?.memoryBytes ?? 0n) > 0n && (cpu?.name ?? '') !== '');
  t.true(cpu?.precisions.includes('float32'));
  t.true(cpu?.libraries.some((library) => library.startsWith('oneDNN ')));
  t.like(gpu, { runtime: 'gpu', usable: false });
  t.regex(gpu?.problem ?? '', /^no usable GPU: .*leave runtime at 'cpu'/);
  const { memoryBytes, ...others } = limits ?? t.fail();
  t.true(memoryBytes > 0n && memoryBytes < (cpu?.memoryBytes ?? 0n));
  t.deepEqual(others, {
    messageBytes: 2n ** 21n,
    uploadBytes: 2n ** 30n,
    applyImages: 65_536,
    streamsPerConnection: 16,
    connectionsPerPeer: 32,
    classifiers: 64,
    handleIdleSeconds: 86_400,
    serializedBytes: 2n ** 31n,
    uploadBytesTotal: 2n ** 32n,
    transferIdleSeconds: 120,
  });
  const { description, ...compact } = networks.find(({ name }) => name === 'compact') ?? { description: '' };
  t.deepEqual(compact, {
    name: 'compact',
    minSize: 15,
    defaultSize: 224,
    defaultBatchSize: 160,
    defaultWeightPrior: 0,
    resizeKeepsWeights: true,
    pretrainedAvailable: false,
  });
  t.true(description.length > 0);
  t.like(
    networks.find(({ name }) => name === 'resnet18'),
    { minSize: 32, defaultSize: 224, defaultBatchSize: 24, defaultWeightPrior: 0.0001, resizeKeepsWeights: true },
  );
});
