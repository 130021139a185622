import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type ClientHttp2Session, constants, type Settings } from 'node:http2';
import { type ServiceError, status } from '@grpc/grpc-js';
import anyTest, { type TestFn } from 'ava';
import { CHUNK_BYTES } from '../server/config.js';
import { openBatches } from './support/batch_call.js';
import { call, connectTo, errorInfo, openUpload, untilArrived, upload } from './support/calls.js';
import { noiseBatch, readCompact, trainMessages } from './support/classifier.js';
import { type Daemon, startDaemon } from './support/daemon.js';
import { endOf, grpcFrame, openSession, startCall } from './support/raw_http2.js';

interface Context {
  daemon: Daemon;
}

const test = anyTest as TestFn<Context>;

const MIB = 1024 * 1024;
const STREAMS = 16;
const CONNECTIONS = 6;
const MESSAGE_BYTES = 2 * MIB;

test.before(async (t) => {
  t.context.daemon = await startDaemon();
});

test.after.always(async (t) => {
  await t.context.daemon.stop();
});

async function ping(session: ClientHttp2Session): Promise<void> {
  await new Promise<void>((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
}

/** Bytes of the daemon's memory that are in RAM. */
async function residentBytes(daemon: Daemon): Promise<number> {
  const text = await readFile(`/proc/${daemon.process.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
}

test.serial('the advertised window is 32 MiB a call and 128 MiB a connection, the stream limit 16', async (t) => {
  const session = openSession(t.context.daemon.address);
  const [settings] = (await once(session, 'remoteSettings')) as [Settings];
  t.is(settings.initialWindowSize, 32 * MIB);
  t.is(settings.maxConcurrentStreams, STREAMS);
  await ping(session);
  t.is(session.state.remoteWindowSize, 128 * MIB);
  session.close();
});

test.serial('200 unfinished messages on one connection cost a bounded amount of memory', async (t) => {
  const { daemon } = t.context;
  const session = openSession(daemon.address);
  await once(session, 'remoteSettings');
  const before = await residentBytes(daemon);
  const unfinished = grpcFrame(new Uint8Array(MESSAGE_BYTES)).subarray(0, -1);
  const written: Promise<void>[] = [];
  for (let index = 0; index < 200; index++) {
    const stream = startCall(session, 'trainBatch');
    written.push(new Promise((resolve) => stream.write(unfinished, () => resolve())));
  }
  await Promise.all(written.slice(0, STREAMS));
  await ping(session);
  const growth = (await residentBytes(daemon)) - before;
  // 16 messages are 32 MiB, assembled from as many bytes of frames. All 200 would be 400 MiB.
  t.true(growth < 160 * MIB, `grew by ${Math.round(growth / MIB)} MiB`);
  session.destroy();
});

test.serial('the 17th call of a connection waits until one of the 16 ends', async (t) => {
  const session = openSession(t.context.daemon.address);
  await once(session, 'remoteSettings');
  const open = Array.from({ length: STREAMS }, () => startCall(session, 'trainBatch'));
  for (const stream of open) stream.write(Buffer.alloc(1));
  const waiting = startCall(session, 'getServerInfo');
  waiting.end(grpcFrame(new Uint8Array()));
  let answered = false;
  const end = endOf(waiting).then((result) => {
    answered = true;
    return result;
  });
  await ping(session);
  await ping(session);
  t.false(answered);
  open[0]?.close();
  t.is((await end).grpcStatus, status.OK);
  session.destroy();
});

test.serial('one connection too many from one address is closed; when another ends there is room again', async (t) => {
  const daemon = await startDaemon(['--max-connections-per-peer', String(CONNECTIONS)]);
  const sessions = Array.from({ length: CONNECTIONS }, () => openSession(daemon.address));
  await Promise.all(sessions.map((session) => once(session, 'remoteSettings')));
  const refused = openSession(daemon.address);
  const [code, , why] = await once(refused, 'goaway');
  t.is(code, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  t.is(String(why), `more than ${CONNECTIONS} connections from this address`);
  await Promise.all(sessions.map(ping));
  sessions[0]?.destroy();
  const client = connectTo(daemon.address);
  // The daemon may see the end of a connection later than the beginning of the next; the client then tries again.
  await new Promise((resolve) => client.waitForReady(Number.POSITIVE_INFINITY, resolve));
  const { limits } = await call(client, 'getServerInfo', {});
  t.is(limits?.connectionsPerPeer, CONNECTIONS);
  await Promise.all(sessions.slice(1).map(ping));
  client.close();
  for (const session of sessions) session.destroy();
  await daemon.stop();
});

test.serial('a message beyond the limit is refused before it is read', async (t) => {
  const client = connectTo(t.context.daemon.address);
  const message = { header: undefined, pixels: new Uint8Array(MESSAGE_BYTES + 1), commit: undefined };
  const error = await t.throwsAsync<ServiceError>(upload(client, 'trainBatch', [message]));
  t.is(error.code, status.RESOURCE_EXHAUSTED);
  client.close();
});

test.serial('a chunk beyond 1 MiB is refused', async (t) => {
  const client = connectTo(t.context.daemon.address);
  const options = { size: 512, batchSize: 4 };
  const classifier = await readCompact(client, options);
  const error = await t.throwsAsync<ServiceError>(
    upload(client, 'trainBatch', trainMessages(classifier, noiseBatch(options), CHUNK_BYTES + 1)),
  );
  t.is(error.code, status.INVALID_ARGUMENT);
  t.is(errorInfo(error).reason, 'UPLOAD_MALFORMED');
  client.close();
});

test.serial('bytes that are no message of the contract are refused', async (t) => {
  const session = openSession(t.context.daemon.address);
  const stream = startCall(session, 'getParam');
  // Field 1 as a string of 100 bytes, of which none follows.
  stream.end(grpcFrame(Uint8Array.of(0x0a, 100)));
  t.is((await endOf(stream)).grpcStatus, status.INTERNAL);
  session.close();
});

test.serial('a call that uploads and breaks its framing or encoding is told so, and the log says what was wrong', async (t) => {
  const { daemon } = t.context;
  const session = openSession(daemon.address);
  const beyond = Buffer.alloc(5);
  beyond.writeUInt32BE(2 ** 31, 1);
  for (const [sent, code, problem] of [
    [Buffer.concat([Buffer.of(1), grpcFrame(new Uint8Array(20)).subarray(1)]), status.INTERNAL, /^a compressed message in a call without/],
    [Buffer.concat([beyond, new Uint8Array(20)]), status.RESOURCE_EXHAUSTED, /^Received message larger than max/],
    [grpcFrame(Uint8Array.of(0x0a, 100)), status.INTERNAL, /^a message that cannot be decoded: /],
  ] as const) {
    for (const method of ['trainBatch', 'trainBatches'] as const) {
      const mark = daemon.stderr().length;
      const stream = startCall(session, method);
      stream.end(sent);
      t.is((await endOf(stream)).grpcStatus, code);
      const line = await daemon.logged(({ msg }) => msg === 'nothing can be read from what the client sends', mark);
      t.regex(line.problem ?? '', problem);
    }
  }
  session.close();
});

test.serial('a slow sender costs the buffer of its declared size and no more', async (t) => {
  const { daemon } = t.context;
  const client = connectTo(daemon.address);
  const options = { size: 512, batchSize: 64 };
  const classifier = await readCompact(client, options);
  const batch = noiseBatch(options);
  const before = await residentBytes(daemon);
  const open = openUpload(client, 'trainBatch');
  for (const message of trainMessages(classifier, batch).slice(0, -1)) await open.send(message);
  await untilArrived(client);
  const growth = (await residentBytes(daemon)) - before;
  t.true(growth < batch.pixels.byteLength + 64 * MIB, `grew by ${Math.round(growth / MIB)} MiB for ${batch.pixels.byteLength / MIB} MiB`);
  open.cancel();
  client.close();
});

test.serial('a client that sends more than is trained costs four batches and the window of its call', async (t) => {
  const { daemon } = t.context;
  const client = connectTo(daemon.address);
  const options = { size: 512, batchSize: 16 };
  const classifier = await readCompact(client, options);
  const batch = noiseBatch(options);
  await upload(client, 'trainBatch', trainMessages(classifier, batch));
  const before = await residentBytes(daemon);
  const flood = openBatches(client, classifier);
  const messages = trainMessages(classifier, batch).map((message) => ({ ...message, call: undefined }));
  for (let sent = 0; sent < 40; sent++) void flood.send(...messages);
  // Two steps later all is full that can be.
  await flood.next();
  await flood.next();
  const growth = (await residentBytes(daemon)) - before;
  const allowed = 4 * batch.pixels.byteLength + 16 * MIB;
  t.true(growth < allowed + 64 * MIB, `grew by ${Math.round(growth / MIB)} MiB; all that is sent is ${40 * 12} MiB`);
  flood.cancel();
  client.close();
});

test.serial('an upload beyond the limit of one call is refused by its header', async (t) => {
  const daemon = await startDaemon(['--max-upload-bytes', '3000']);
  const client = connectTo(daemon.address);
  const classifier = await readCompact(client);
  const [header] = trainMessages(classifier);
  const open = openUpload(client, 'trainBatch');
  if (header !== undefined) await open.send(header);
  const error = await t.throwsAsync<ServiceError>(open.response);
  t.is(error.code, status.RESOURCE_EXHAUSTED);
  const { reason, metadata } = errorInfo(error);
  t.is(reason, 'LIMIT_EXCEEDED');
  t.like(metadata, { limit: 'upload_bytes', got: '3072', maximum: '3000' });
  client.close();
  await daemon.stop();
});

test.serial('uploads beyond the limit of all calls together are refused while the others last', async (t) => {
  const daemon = await startDaemon(['--max-upload-bytes-total', '5000']);
  const client = connectTo(daemon.address);
  const classifier = await readCompact(client);
  const [header] = trainMessages(classifier);
  const first = openUpload(client, 'trainBatch');
  if (header !== undefined) await first.send(header);
  await untilArrived(client);
  const error = await t.throwsAsync<ServiceError>(upload(client, 'trainBatch', trainMessages(classifier)));
  t.is(error.code, status.RESOURCE_EXHAUSTED);
  const { reason, metadata } = errorInfo(error);
  t.is(reason, 'SERVER_BUSY');
  t.is(metadata.retry, 'true');
  first.end();
  await t.throwsAsync(first.response);
  t.is((await upload(client, 'trainBatch', trainMessages(classifier))).step, 1n);
  client.close();
  await daemon.stop();
});
