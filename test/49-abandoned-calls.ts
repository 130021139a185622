import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import type { ApplyClassifierRequest, DeserializeClassifierRequest } from '../generated/dlclassifier/v1/classifier.js';
import { engineBinding } from '../native/index.js';
import { readCommandLine } from '../server/command_line.js';
import { Devices } from '../server/devices/devices.js';
import { openImageStore } from '../server/image_store/open_image_store.js';
import { createLogger } from '../server/log.js';
import { applyClassifier } from '../server/rpc/apply_classifier.js';
import type { CallContext } from '../server/rpc/context.js';
import { deserializeClassifier } from '../server/rpc/deserialize_classifier.js';
import { readClassifier } from '../server/rpc/read_classifier.js';
import { serializeClassifier } from '../server/rpc/serialize_classifier.js';
import { setParam } from '../server/rpc/set_param.js';
import { ServerState } from '../server/state.js';
import { noiseBatch } from './support/classifier.js';
import { uploadMessages } from './support/upload_messages.js';
import { applyMessages, deserializeMessages, named } from './support/wire.js';

/** The handlers with the real engine, but without a transport, so that a caller leaves at a moment of the test's choice. */
const test = anyTest as TestFn<{ server: ServerState; folder: string }>;

test.beforeEach(async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dl-classifier-abandoned-'));
  const binding = engineBinding();
  const { limits } = readCommandLine([], '0.0.0');
  const log = createLogger('silent');
  const devices = new Devices({ binding, threads: 1, memoryBytes: null, log });
  const store = { folder: join(folder, 'images'), named: true, maximumBytes: null, maximumImageBytes: 2 ** 20, maximumPixelBytes: 2 ** 20 };
  const images = await openImageStore(store, log);
  t.context = { folder, server: new ServerState({ binding, devices, modelFolder: folder, images, limits, log }) };
});

test.afterEach.always(async (t) => {
  await t.context.server.close();
  await rm(t.context.folder, { recursive: true, force: true });
});

const LEFT = new Error('the caller has left');

function contextOf(server: ServerState, signal = new AbortController().signal): CallContext {
  return { server, signal, peer: 'test', log: createLogger('silent') };
}

async function compact(server: ServerState): Promise<string> {
  const context = contextOf(server);
  const { classifier } = await readClassifier({ fileName: 'compact', pretrained: undefined, seed: 1n }, context);
  const params = [named('image_dimensions', 16n, 16n, 3n), named('classes', 'a', 'b'), named('batch_size', 4n)];
  await setParam({ classifier, params }, context);
  return classifier;
}

async function* stream<Message>(messages: readonly Message[]): AsyncGenerator<Message> {
  yield* messages;
}

/** The caller leaves when all messages have come and the work on them has begun, which takes more than a turn of the event loop. */
function leaveSoon(controller: AbortController): void {
  setImmediate(() => controller.abort(LEFT));
}

test('a classifier that nobody waits for any more is not kept open', async (t) => {
  const { server } = t.context;
  const controller = new AbortController();
  const reading = readClassifier({ fileName: 'compact', pretrained: undefined, seed: undefined }, contextOf(server, controller.signal));
  controller.abort(LEFT);
  await t.throwsAsync(reading, { is: LEFT });
  t.deepEqual(server.handles.open('classifier'), []);
});

test('bytes that nobody waits for any more become no open classifier', async (t) => {
  const { server } = t.context;
  const parts: Uint8Array[] = [];
  for await (const { data } of serializeClassifier({ classifier: await compact(server) }, contextOf(server))) parts.push(data);
  const controller = new AbortController();
  const messages: DeserializeClassifierRequest[] = deserializeMessages(Buffer.concat(parts));
  const reading = deserializeClassifier(uploadMessages(stream(messages)), contextOf(server, controller.signal));
  leaveSoon(controller);
  await t.throwsAsync(reading, { is: LEFT });
  t.is(server.handles.open('classifier').length, 1);
  t.is(server.uploads.reserved, 0);
});

test('a result that nobody waits for any more is not kept', async (t) => {
  const { server } = t.context;
  const classifier = await compact(server);
  const controller = new AbortController();
  // So few images are often classified within a turn of the event loop: the caller leaves at the last moment.
  const opened = server.handles.get('classifier', classifier);
  const apply = opened.apply.bind(opened);
  opened.apply = async (...job) => {
    const result = await apply(...job);
    controller.abort(LEFT);
    return result;
  };
  const messages: ApplyClassifierRequest[] = applyMessages(classifier, noiseBatch());
  const applying = applyClassifier(uploadMessages(stream(messages)), contextOf(server, controller.signal));
  await t.throwsAsync(applying, { is: LEFT });
  t.deepEqual(server.handles.open('apply_result'), []);
  t.is(server.uploads.reserved, 0);
});
