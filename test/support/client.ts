import anyTest, { type TestFn } from 'ava';
import { type Classifier, DlClassifierClient, type ParameterSet } from '../../client/index.js';
import { type Daemon, startDaemon } from './daemon.js';

export interface ClientContext {
  daemon: Daemon;
  client: DlClassifierClient;
}

/** Tests with the client library and a daemon for the whole file. */
export function testWithDaemon(flags: readonly string[] = []): TestFn<ClientContext> {
  const test = anyTest as TestFn<ClientContext>;
  test.before(async (t) => {
    t.context.daemon = await startDaemon(flags);
    t.context.client = await DlClassifierClient.connect(t.context.daemon.address);
  });
  test.after.always(async (t) => {
    t.context.client?.close();
    await t.context.daemon?.stop();
  });
  return test;
}

/** A small classifier of two classes, bit-equal for the same parameters: grey 16 x 16, steps of 4 images. */
export async function readSmall(client: DlClassifierClient, parameters: ParameterSet = {}): Promise<Classifier> {
  const classifier = await client.readClassifier('compact', { seed: 5 });
  await classifier.setParam({
    classes: ['good', 'bad'],
    image_dimensions: [16, 16, 1],
    batch_size: 4,
    deterministic: true,
    ...parameters,
  });
  return classifier;
}
