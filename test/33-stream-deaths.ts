import { status } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';
import { ClassifierServiceService } from '../generated/dlclassifier/v1/classifier_service.js';
import { type BatchCall, batchMessages, numberedBatch, openBatches } from './support/batch_call.js';
import { untilArrived } from './support/calls.js';
import { readCompact, serialize, stepOf } from './support/classifier.js';
import { killSendingClient } from './support/killed_client.js';
import { endOf, grpcFrame, openSession, startCall } from './support/raw_http2.js';
import { testOverTheWire, train, type WireContext } from './support/wire.js';

const test = testOverTheWire();

const { path: TRAIN_BATCHES, requestSerialize } = ClassifierServiceService.trainBatches;

/**
 * Two batches are applied, of the third every byte has arrived but not the commit when `die` ends the client: the classifier is what two
 * steps make of it, bit for bit, and goes on.
 */
async function leavesTwoSteps(t: ExecutionContext<WireContext>, die: (classifier: string) => Promise<void>): Promise<void> {
  const { client, daemon } = t.context;
  const [classifier, twin] = [await readCompact(client), await readCompact(client)];
  for (const number of [0, 1]) await train(client, twin, numberedBatch(number));
  const mark = daemon.stderr().length;

  await die(classifier);
  const ends = ['cancelled by the client', 'refused'];
  await daemon.logged((line) => line.method === TRAIN_BATCHES && ends.includes(line.msg), mark);

  t.is(await stepOf(client, classifier), 2n);
  t.true((await serialize(client, classifier)).equals(await serialize(client, twin)));
  for (const name of [classifier, twin]) await train(client, name, numberedBatch(5));
  t.true((await serialize(client, classifier)).equals(await serialize(client, twin)));
}

async function twoAndAHalf({ client }: WireContext, classifier: string, options = {}): Promise<BatchCall> {
  const call = openBatches(client, classifier, {}, options);
  for (const number of [0, 1]) {
    await call.send(...batchMessages(classifier, numberedBatch(number)));
    await call.next();
  }
  await call.send(...batchMessages(classifier, numberedBatch(2)).slice(0, -1));
  await untilArrived(client);
  return call;
}

test.serial('a client that cancels', async (t) => {
  await leavesTwoSteps(t, async (classifier) => {
    const call = await twoAndAHalf(t.context, classifier);
    call.cancel();
    t.is((await call.rest()).error?.code, status.CANCELLED);
  });
});

test.serial('a client process that is killed', async (t) => {
  await leavesTwoSteps(t, (classifier) => killSendingClient(t.context.daemon.address, classifier, 2));
});

test.serial('a deadline that passes', async (t) => {
  await leavesTwoSteps(t, async (classifier) => {
    const call = await twoAndAHalf(t.context, classifier, { deadline: Date.now() + 1500 });
    t.is((await call.rest()).error?.code, status.DEADLINE_EXCEEDED);
  });
});

test.serial('a frame that is cut off, the commit in its last byte', async (t) => {
  await leavesTwoSteps(t, async (classifier) => {
    const session = openSession(t.context.daemon.address);
    const stream = startCall(session, 'trainBatches');
    const call = { classifier, continueAfterRefusal: false, unanswered: [] };
    const messages = [
      { call, header: undefined, pixels: new Uint8Array(), commit: undefined },
      ...[0, 1, 2].flatMap((number) => batchMessages(classifier, numberedBatch(number))),
    ];
    const all = Buffer.concat(messages.map((message) => grpcFrame(requestSerialize(message))));
    const end = endOf(stream);
    stream.end(all.subarray(0, all.length - 1));
    t.is((await end).grpcStatus, status.INVALID_ARGUMENT);
    session.close();
  });
});

test.serial('a half-close without commit', async (t) => {
  await leavesTwoSteps(t, async (classifier) => {
    const call = await twoAndAHalf(t.context, classifier);
    call.end();
    const { answers, error } = await call.rest();
    t.like(answers, { 0: { batch: 2, reason: 'UPLOAD_TRUNCATED' }, length: 1 });
    t.is(error?.code, status.INVALID_ARGUMENT);
  });
});
