import { constants } from 'node:http2';
import { setTimeout as pause } from 'node:timers/promises';
import { type ServiceError, status } from '@grpc/grpc-js';
import anyTest, { type TestFn } from 'ava';
import type { ClassifierServiceClient } from '../generated/dlclassifier/v1/classifier_service.js';
import { openBatches } from './support/batch_call.js';
import { connectTo, errorInfo, METHODS, openUpload, upload } from './support/calls.js';
import { readCompact, stepOf, trainMessages } from './support/classifier.js';
import { type Daemon, startDaemon } from './support/daemon.js';
import { grpcFrame, openSession, startCall } from './support/raw_http2.js';

interface Context {
  daemon: Daemon;
  client: ClassifierServiceClient;
}

const test = anyTest as TestFn<Context>;

test.before(async (t) => {
  t.context.daemon = await startDaemon(['--transfer-idle-seconds', '1', '--max-upload-bytes-total', '5000']);
  t.context.client = connectTo(t.context.daemon.address);
});

test.after.always(async (t) => {
  t.context.client.close();
  await t.context.daemon.stop();
});

test.serial('an upload of which nothing more comes is ended; what it held is free again, the classifier as it was', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const [header, chunk] = trainMessages(classifier);
  const open = openUpload(client, 'trainBatch');
  for (const message of [header, chunk]) if (message !== undefined) await open.send(message);
  const error = await t.throwsAsync<ServiceError>(open.response);
  t.is(error.code, status.DEADLINE_EXCEEDED);
  const { reason, metadata } = errorInfo(error);
  t.is(reason, 'CLIENT_STALLED');
  t.like(metadata, { problem: 'nothing came after 3072 bytes of an upload', seconds: '1', retry: 'true' });
  t.is(await stepOf(client, classifier), 0n);
  // 3,072 of 5,000 bytes were reserved.
  t.is((await upload(client, 'trainBatch', trainMessages(classifier))).step, 1n);
});

test.serial('a call that does not even begin its upload is ended', async (t) => {
  const open = openUpload(t.context.client, 'putImages');
  const error = await t.throwsAsync<ServiceError>(open.response);
  t.is(errorInfo(error).reason, 'CLIENT_STALLED');
});

test.serial('an upload that is slow and goes on is not ended', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const open = openUpload(client, 'trainBatch');
  for (const message of trainMessages(classifier, undefined, 1024)) {
    await pause(400);
    await open.send(message);
  }
  t.is((await open.response).step, 1n);
});

test.serial('between two batches of a stream a client may take its time, within one it may not', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const call = openBatches(client, classifier);
  const messages = trainMessages(classifier).map((message) => ({ ...message, call: undefined }));
  await call.send(...messages);
  await pause(1500);
  await call.send(...messages);
  await call.send(...messages.slice(0, 2));
  const { answers } = await call.rest();
  t.deepEqual(
    answers.map((answer) => ('step' in answer ? answer.step : answer.reason)),
    [1, 2, 'CLIENT_STALLED'],
  );
  t.is(await stepOf(client, classifier), 2n);
});

test.serial('a download that is not taken is ended, and its stream reset', async (t) => {
  const { client, daemon } = t.context;
  const classifier = await readCompact(client);
  const session = openSession(daemon.address);
  const stream = startCall(session, 'serializeClassifier');
  const closed = new Promise((resolve) => stream.once('close', resolve));
  stream.end(grpcFrame(METHODS.serializeClassifier.requestSerialize({ classifier })));
  // Nobody reads: the window of 64 KiB fills.
  const line = await daemon.logged(({ reason }) => reason === 'CLIENT_STALLED', daemon.stderr().length);
  t.is(line.method, METHODS.serializeClassifier.path);
  stream.resume();
  await closed;
  t.is(stream.rstCode, constants.NGHTTP2_CANCEL);
  session.destroy();
});
