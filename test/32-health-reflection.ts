import { type ServiceError, status } from '@grpc/grpc-js';
import anyTest from 'ava';
import { connectTo, openUpload } from './support/calls.js';
import { noiseBatch, readCompact, trainMessages, untilTraining } from './support/classifier.js';
import { startDaemon } from './support/daemon.js';
import { HealthClient, reflectedServices } from './support/services.js';

const test = anyTest.serial;

test('the server and its services are SERVING, others unknown', async (t) => {
  const daemon = await startDaemon();
  const health = new HealthClient(daemon.address);
  t.is(await health.check(''), 'SERVING');
  t.is(await health.check('dlclassifier.v1.ClassifierService'), 'SERVING');
  t.is(await health.check('dlclassifier.v1.ImageService'), 'SERVING');
  const error = await t.throwsAsync<ServiceError>(health.check('other'));
  t.is(error.code, status.NOT_FOUND);
  health.close();
  await daemon.stop();
});

test('a server that finishes its last step is NOT_SERVING', async (t) => {
  const daemon = await startDaemon();
  const client = connectTo(daemon.address);
  const health = new HealthClient(daemon.address);
  t.is(await health.check(''), 'SERVING');
  const options = { size: 224, batchSize: 32 };
  const classifier = await readCompact(client, options);
  const step = openUpload(client, 'trainBatch');
  for (const message of trainMessages(classifier, noiseBatch(options))) void step.send(message);
  await untilTraining(client, step.response);
  daemon.process.kill('SIGTERM');
  await daemon.logged((line) => line.msg === 'stopping');
  t.is(await health.check(''), 'NOT_SERVING');
  t.is(await health.check('dlclassifier.v1.ClassifierService'), 'NOT_SERVING');
  await step.response;
  health.close();
  client.close();
  await daemon.stop();
});

test('reflection tells the contract where it is switched on', async (t) => {
  const daemon = await startDaemon(['--reflection']);
  t.deepEqual(await reflectedServices(daemon.address), ['dlclassifier.v1.ClassifierService', 'dlclassifier.v1.ImageService']);
  await daemon.stop();
});

test('reflection is off by default', async (t) => {
  const daemon = await startDaemon();
  const error = await t.throwsAsync<ServiceError>(reflectedServices(daemon.address));
  t.is(error.code, status.UNIMPLEMENTED);
  await daemon.stop();
});
