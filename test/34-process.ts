import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ServiceError, status } from '@grpc/grpc-js';
import anyTest, { type ExecutionContext } from 'ava';
import { DlClassifierClient, StepMismatchError } from '../client/index.js';
import { call, connectTo, errorInfo, openUpload } from './support/calls.js';
import { noiseBatch, readCompact, stepOf, trainMessages, untilTraining } from './support/classifier.js';
import { readSmall } from './support/client.js';
import { type DaemonExit, runDaemon, startDaemon } from './support/daemon.js';
import { noiseImages } from './support/noise.js';

// Every test starts daemons: one at a time is quicker than all at once.
const test = anyTest.serial;

/** Ended with 2 and one line on stderr that begins with the program's name or `error`. */
function isRefusedStart(t: ExecutionContext, exit: DaemonExit, line: RegExp): void {
  t.is(exit.exitCode, 2, exit.stderr);
  t.is(exit.stdout, '');
  t.is(exit.stderr.trimEnd().split('\n').length, 1, exit.stderr);
  t.regex(exit.stderr, line);
}

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dl-classifierd-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('one line on stdout says where it listens; SIGTERM ends it with 0', async (t) => {
  const daemon = await startDaemon();
  t.regex(daemon.stdout(), /^dl-classifierd listening on 127\.0\.0\.1:\d+\n$/);
  await daemon.stop();
  t.regex(daemon.stdout(), /^dl-classifierd listening on 127\.0\.0\.1:\d+\n$/);
  t.is(daemon.process.exitCode, 0);
});

test('SIGINT ends it with 0, too', async (t) => {
  const daemon = await startDaemon();
  daemon.process.kill('SIGINT');
  await once(daemon.process, 'exit');
  t.is(daemon.process.exitCode, 0);
  await daemon.stop();
});

test('SIGHUP ends it, too, where there is no certificate to read anew: the terminal was closed', async (t) => {
  const daemon = await startDaemon();
  daemon.process.kill('SIGHUP');
  await once(daemon.process, 'exit');
  t.is(daemon.process.exitCode, 0);
  t.is((await daemon.logged(({ msg }) => msg === 'stopping')).reason, 'SIGHUP');
  await daemon.stop();
});

test('every line of stderr is a JSON object', async (t) => {
  const daemon = await startDaemon();
  const client = connectTo(daemon.address);
  await call(client, 'getServerInfo', {});
  client.close();
  await daemon.stop();
  const lines = daemon.stderr().trimEnd().split('\n');
  t.true(lines.length > 1);
  for (const line of lines) t.is(typeof JSON.parse(line).msg, 'string');
});

test('a Unix socket, also one that a killed daemon left behind', async (t) => {
  const path = join(await temporaryFolder(t), 'socket');
  const killed = await startDaemon(['--listen', `unix:${path}`]);
  t.is(killed.address, `unix:${path}`);
  killed.process.kill('SIGKILL');
  await t.throwsAsync(killed.stop());

  const daemon = await startDaemon(['--listen', `unix:${path}`]);
  const client = connectTo(daemon.address);
  t.is((await call(client, 'getServerInfo', {})).limits?.streamsPerConnection, 16);
  client.close();
  isRefusedStart(t, await runDaemon(['--listen', `unix:${path}`]), /cannot listen on unix:.*: address already in use/);
  await daemon.stop();
});

test('the environment sets what no flag does', async (t) => {
  const daemon = await startDaemon(['--max-streams', '3'], { DL_CLASSIFIERD_MAX_STREAMS: '4', DL_CLASSIFIERD_MAX_CLASSIFIERS: '5' });
  const client = connectTo(daemon.address);
  const { limits } = await call(client, 'getServerInfo', {});
  t.is(limits?.streamsPerConnection, 3);
  t.is(limits?.classifiers, 5);
  client.close();
  await daemon.stop();
});

test('a port in use', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const exit = await runDaemon(['--listen', `127.0.0.1:${address.port}`, '--models', await temporaryFolder(t)]);
  isRefusedStart(t, exit, new RegExp(`^dl-classifierd: cannot listen on 127.0.0.1:${address.port}: address already in use$`, 'm'));
  server.close();
});

test('a model folder that is a file', async (t) => {
  const file = join(await temporaryFolder(t), 'file');
  await writeFile(file, '');
  isRefusedStart(t, await runDaemon(['--listen', '127.0.0.1:0', '--models', file]), /^dl-classifierd: the model folder .*file/);
  isRefusedStart(
    t,
    await runDaemon(['--listen', '127.0.0.1:0', '--models', join(file, 'below')]),
    /^dl-classifierd: the model folder .*below/,
  );
});

for (const [title, flags, environment, line] of [
  ['an unknown flag', ['--no-such-flag'], {}, /unknown option '--no-such-flag'/],
  ['a flag without its value', ['--threads'], {}, /argument missing/],
  ['a number out of its range', ['--threads', '0'], {}, /--threads.*integer from 1/],
  ['a number that is none', ['--max-streams', '12x'], {}, /--max-streams.*integer from 1/],
  ['a message limit that holds no chunk', ['--max-message-bytes', '1000'], {}, /--max-message-bytes.*integer from 1114112/],
  ['an address without a port', ['--listen', 'localhost'], {}, /HOST:PORT/],
  ['a port that is none', ['--listen', 'localhost:65536'], {}, /HOST:PORT/],
  ['an unknown log level', ['--log-level', 'loud'], {}, /Allowed choices are/],
  ['an argument', ['somewhere'], {}, /too many arguments/],
  ['a variable out of its range', [], { DL_CLASSIFIERD_MAX_STREAMS: '0' }, /DL_CLASSIFIERD_MAX_STREAMS.*integer from 1/],
] as const) {
  test(`${title} ends the start with one line and exit code 2`, async (t) => {
    isRefusedStart(t, await runDaemon(flags, environment), line);
  });
}

test('--help and --version end with 0', async (t) => {
  const help = await runDaemon(['--help']);
  t.is(help.exitCode, 0);
  t.regex(help.stdout, /--max-connections-per-peer/);
  const version = await runDaemon(['--version']);
  t.is(version.exitCode, 0);
  t.regex(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

test('SIGTERM in the middle of a step: the step is finished and answered, new calls are refused, the exit code is 0', async (t) => {
  const daemon = await startDaemon();
  const client = connectTo(daemon.address);
  const options = { size: 224, batchSize: 32 };
  const classifier = await readCompact(client, options);
  const step = openUpload(client, 'trainBatch');
  for (const message of trainMessages(classifier, noiseBatch(options))) void step.send(message);
  await untilTraining(client, step.response);
  // An upload that will never be committed must not keep the daemon.
  const unfinished = openUpload(client, 'trainBatch');
  const [header] = trainMessages(classifier, noiseBatch(options));
  if (header !== undefined) await unfinished.send(header);
  daemon.process.kill('SIGTERM');
  await daemon.logged((line) => line.msg === 'stopping');

  const refused = await t.throwsAsync<ServiceError>(call(client, 'getServerInfo', {}));
  t.is(refused.code, status.UNAVAILABLE);
  t.is(errorInfo(refused).reason, 'SERVER_STOPPING');
  t.is(errorInfo(refused).metadata.retry, 'true');
  const aborted = await t.throwsAsync<ServiceError>(unfinished.response);
  t.is(errorInfo(aborted).reason, 'SERVER_STOPPING');
  // npx and terminals pass a signal on twice.
  daemon.process.kill('SIGTERM');
  t.is((await step.response).step, 1n);
  client.close();
  await daemon.stop();
});

test('SIGTERM ends it though a client has left uploads behind that were refused', async (t) => {
  const daemon = await startDaemon();
  const client = await DlClassifierClient.connect(daemon.address);
  const classifier = await readSmall(client, { image_dimensions: [64, 64, 1], batch_size: 64 });
  const labels = Array.from({ length: 64 }, (_, index) => index % 2);
  const images = noiseImages(64, [64, 64, 1]);
  await classifier.trainBatch(images, labels);
  // Refused by its header, so that the rest is never read.
  for (let call = 0; call < 4; call++) {
    await t.throwsAsync(classifier.trainBatch(images, labels, { expectedStep: 0 }), { instanceOf: StepMismatchError });
  }
  client.close();
  const hanging = setTimeout(() => daemon.process.kill('SIGKILL'), 30_000);
  await t.notThrowsAsync(daemon.stop());
  clearTimeout(hanging);
});

test('SIGTERM while a classifier is stored: the file is whole or not there', async (t) => {
  const models = await temporaryFolder(t);
  const daemon = await startDaemon(['--models', models]);
  const client = connectTo(daemon.address);
  const { classifier } = await call(client, 'readClassifier', { fileName: 'resnet18', pretrained: false, seed: 1n });
  const written = call(client, 'writeClassifier', { classifier, fileName: 'stored' }).catch((error: ServiceError) => error);
  await call(client, 'listClassifiers', {});
  daemon.process.kill('SIGTERM');
  const outcome = await written;
  client.close();
  await daemon.stop();

  const files = await readdir(models);
  t.deepEqual(files, outcome instanceof Error ? [] : ['stored.safetensors']);
  const successor = await startDaemon(['--models', models]);
  const again = connectTo(successor.address);
  for (const { problem } of (await call(again, 'listClassifiers', {})).stored) t.is(problem, '');
  if (files.length > 0)
    await t.notThrowsAsync(call(again, 'readClassifier', { fileName: 'stored', pretrained: undefined, seed: undefined }));
  again.close();
  await successor.stop();
});

test('an unused handle expires, one in use does not', async (t) => {
  const daemon = await startDaemon(['--handle-idle-seconds', '2']);
  const client = connectTo(daemon.address);
  const [used, unused] = [await readCompact(client), await readCompact(client)];
  const openCount = async () => (await call(client, 'listClassifiers', {})).open.length;
  while ((await openCount()) > 1) {
    await stepOf(client, used);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.is(await stepOf(client, used), 0n);
  const error = await t.throwsAsync<ServiceError>(stepOf(client, unused));
  t.is(error.code, status.FAILED_PRECONDITION);
  const { reason, metadata } = errorInfo(error);
  t.is(reason, 'HANDLE_CLEARED');
  t.is(metadata.number, '2454');
  client.close();
  await daemon.stop();
});
