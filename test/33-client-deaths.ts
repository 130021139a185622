import { type ServiceError, status } from '@grpc/grpc-js';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { type ClassifierServiceClient, ClassifierServiceService } from '../generated/dlclassifier/v1/classifier_service.js';
import { connectTo, errorInfo, openUpload, untilArrived, upload } from './support/calls.js';
import { noiseBatch, readCompact, serialize, stepOf, trainMessages, untilTraining } from './support/classifier.js';
import { type Daemon, startDaemon } from './support/daemon.js';
import { killSendingClient } from './support/killed_client.js';
import { endOf, grpcFrame, openSession, startCall } from './support/raw_http2.js';

interface Context {
  daemon: Daemon;
  client: ClassifierServiceClient;
}

const test = anyTest as TestFn<Context>;

test.before(async (t) => {
  t.context.daemon = await startDaemon();
  t.context.client = connectTo(t.context.daemon.address);
});

test.after.always(async (t) => {
  t.context.client.close();
  await t.context.daemon.stop();
});

const TRAIN_BATCH = ClassifierServiceService.trainBatch.path;

/** All but the commit: every byte of every image arrives before the client dies. */
function withoutCommit(classifier: string) {
  return trainMessages(classifier).slice(0, -1);
}

/**
 * Lets `die` die in the middle of a call and shows that the classifier is as it was: the same bytes, the same step, and the next step
 * gives bit for bit what it gives to a twin that nobody died on.
 */
async function leavesNoTrace(t: ExecutionContext<Context>, die: (classifier: string) => Promise<void>): Promise<void> {
  const { client, daemon } = t.context;
  const [classifier, twin] = [await readCompact(client), await readCompact(client)];
  // One step first, so that momentum is not zero.
  await upload(client, 'trainBatch', trainMessages(classifier));
  await upload(client, 'trainBatch', trainMessages(twin));
  const before = await serialize(client, classifier);
  const mark = daemon.stderr().length;

  await die(classifier);
  const ends = ['cancelled by the client', 'refused'];
  await daemon.logged((line) => line.method === TRAIN_BATCH && ends.includes(line.msg), mark);

  t.is(await stepOf(client, classifier), 1n);
  t.true(before.equals(await serialize(client, classifier)));
  t.is((await upload(client, 'trainBatch', trainMessages(classifier))).step, 2n);
  await upload(client, 'trainBatch', trainMessages(twin));
  t.true((await serialize(client, classifier)).equals(await serialize(client, twin)));
}

test.serial('a client that cancels', async (t) => {
  await leavesNoTrace(t, async (classifier) => {
    const open = openUpload(t.context.client, 'trainBatch');
    for (const message of withoutCommit(classifier)) await open.send(message);
    await untilArrived(t.context.client);
    open.cancel();
    const error = await t.throwsAsync<ServiceError>(open.response);
    t.is(error.code, status.CANCELLED);
  });
});

test.serial('a client process that is killed', async (t) => {
  await leavesNoTrace(t, (classifier) => killSendingClient(t.context.daemon.address, classifier, 0));
});

test.serial('a deadline that passes', async (t) => {
  await leavesNoTrace(t, async (classifier) => {
    const open = openUpload(t.context.client, 'trainBatch', { deadline: Date.now() + 500 });
    for (const message of withoutCommit(classifier)) await open.send(message);
    await untilArrived(t.context.client);
    const error = await t.throwsAsync<ServiceError>(open.response);
    t.is(error.code, status.DEADLINE_EXCEEDED);
  });
});

test.serial('a frame that is cut off, the commit in its last byte', async (t) => {
  await leavesNoTrace(t, async (classifier) => {
    const session = openSession(t.context.daemon.address);
    const stream = startCall(session, 'trainBatch');
    const frames = trainMessages(classifier).map((message) => grpcFrame(ClassifierServiceService.trainBatch.requestSerialize(message)));
    const all = Buffer.concat(frames);
    const end = endOf(stream);
    stream.end(all.subarray(0, all.length - 1));
    t.is((await end).grpcStatus, status.INVALID_ARGUMENT);
    session.close();
  });
});

test.serial('a half-close without commit', async (t) => {
  await leavesNoTrace(t, async (classifier) => {
    const error = await t.throwsAsync<ServiceError>(upload(t.context.client, 'trainBatch', withoutCommit(classifier)));
    t.is(error.code, status.INVALID_ARGUMENT);
    const { reason, metadata } = errorInfo(error);
    t.is(reason, 'UPLOAD_TRUNCATED');
    const bytes = String(noiseBatch().pixels.byteLength);
    t.deepEqual(metadata, { got: bytes, wanted: bytes, retry: 'false' });
  });
});

test.serial('a client that leaves after the commit does not undo the step', async (t) => {
  const { client, daemon } = t.context;
  // A step that takes long enough for the client to leave while it runs.
  const options = { size: 128, batchSize: 32 };
  const [classifier, twin] = [await readCompact(client, options), await readCompact(client, options)];
  const leaving = connectTo(daemon.address);
  const mark = daemon.stderr().length;
  const open = openUpload(leaving, 'trainBatch');
  for (const message of trainMessages(classifier, noiseBatch(options))) void open.send(message);
  await untilTraining(client, open.response);
  open.cancel();
  leaving.close();
  await t.throwsAsync<ServiceError>(open.response);
  await daemon.logged((line) => line.method === TRAIN_BATCH && line.msg === 'answered', mark);

  t.is(await stepOf(client, classifier), 1n);
  await upload(client, 'trainBatch', trainMessages(twin, noiseBatch(options)));
  t.true((await serialize(client, classifier)).equals(await serialize(client, twin)));
});
