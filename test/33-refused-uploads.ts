import { readdir, readlink } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import anyTest, { type TestFn } from 'ava';
import { DlClassifierClient, StepMismatchError } from '../client/index.js';
import { readSmall } from './support/client.js';
import { type Daemon, startDaemon } from './support/daemon.js';
import { noiseImages } from './support/noise.js';

const test = anyTest as TestFn<Daemon>;

test.before(async (t) => {
  t.context = await startDaemon();
});

test.after.always((t) => t.context.stop());

/** Sockets that the daemon has open. */
async function sockets(daemon: Daemon): Promise<number> {
  const folder = `/proc/${daemon.process.pid}/fd`;
  const targets = await Promise.all((await readdir(folder)).map((name) => readlink(`${folder}/${name}`).catch(() => '')));
  return targets.filter((target) => target.startsWith('socket:')).length;
}

test('a client that leaves after refused uploads leaves no socket behind', async (t) => {
  const daemon = t.context;
  const before = await sockets(daemon);
  const client = await DlClassifierClient.connect(daemon.address);
  const classifier = await readSmall(client, { image_dimensions: [64, 64, 1], batch_size: 64 });
  const images = noiseImages(64, [64, 64, 1]);
  const labels = Array.from({ length: 64 }, (_, index) => index % 2);
  await classifier.trainBatch(images, labels, { expectedStep: 0 });
  // Refused by their headers: the bytes behind them are read by nobody.
  for (const expectedStep of [0, 2]) {
    await t.throwsAsync(classifier.trainBatch(images, labels, { expectedStep }), { instanceOf: StepMismatchError });
  }
  await classifier.clear();
  client.close();
  // Left alone it would be closed by the connection's keepalive, after a minute.
  for (let tries = 0; tries < 300 && (await sockets(daemon)) > before; tries++) await setTimeout(100);
  t.is(await sockets(daemon), before);
});
