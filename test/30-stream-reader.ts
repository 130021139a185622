import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import anyTest, { type TestFn } from 'ava';
import { BLOCK_BYTES, readByEvents, readStream, readToPlaces, type StreamReader } from '../server/transport/stream_reader.js';

const WINDOW_BYTES = 4 * 1024 * 1024;

interface Line {
  readonly server: Http2Server;
  readonly session: ClientHttp2Session;
}

const test = anyTest as TestFn<Line>;

test.beforeEach(async (t) => {
  const server = createServer({ settings: { initialWindowSize: WINDOW_BYTES } });
  server.on('session', (session) => session.setLocalWindowSize(4 * WINDOW_BYTES));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await once(session, 'remoteSettings');
  t.context = { server, session };
});

test.afterEach.always(({ context: { server, session } }) => {
  session.destroy();
  server.close();
});

/** A stream from the client, as the server gets it. */
async function openStream({ server, session }: Line) {
  const request = session.request({ ':method': 'POST' }, { endStream: false });
  request.on('error', () => {});
  const [stream] = (await once(server, 'stream')) as [ServerHttp2Stream];
  stream.on('error', () => {});
  stream.pause();
  return { request, stream };
}

/** Bytes of which no two places look the same. */
function pattern(bytes: number): Buffer {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let index = 0; index < words.length; index++) words[index] = Math.imul(index, 2_654_435_761);
  return Buffer.from(words.buffer, 0, bytes);
}

/** Keeps what comes until it is asked for, as its owner may. */
function keeper() {
  const held: Buffer[] = [];
  const taken: Buffer[] = [];
  return {
    held,
    take: (bytes: Buffer) => held.push(bytes),
    /** What was held is read only now: it must not have been overwritten. */
    collect: (reader: StreamReader) => {
      taken.push(...held.map((bytes) => Buffer.from(bytes)));
      held.length = 0;
      reader.release();
    },
    all: () => Buffer.concat(taken),
  };
}

test('this version of Node.js reads into places', async (t) => {
  const { stream } = await openStream(t.context);
  t.not(
    readToPlaces(stream, () => {}),
    null,
  );
});

for (const [read, turns] of [
  [readStream, 1],
  [readStream, 3],
  [readStream, 20],
  [readByEvents, 3],
] as const) {
  test(`${read.name}: bytes stay as they came until they are released, after ${turns} turns of the event loop`, async (t) => {
    const { request, stream } = await openStream(t.context);
    const bytes = pattern(9_000_001);
    const kept = keeper();
    const reader = read(stream, kept.take);
    let ended = false;
    stream.on('end', () => {
      ended = true;
    });
    reader.resume();
    request.end(bytes);
    while (!ended) {
      for (let count = 0; count < turns; count++) await turn();
      kept.collect(reader);
    }
    kept.collect(reader);
    t.true(kept.all().equals(bytes));
  });
}

test('what comes after the reader has paused is kept: as much as the window allows', async (t) => {
  const { request, stream } = await openStream(t.context);
  const bytes = pattern(2 * WINDOW_BYTES);
  const kept = keeper();
  const reader = readStream(stream, kept.take);
  reader.resume();
  reader.pause();
  request.end(bytes);
  let before = -1;
  const heldBytes = () => kept.held.reduce((sum, { byteLength }) => sum + byteLength, 0);
  for (let quiet = 0; quiet < 50; quiet = heldBytes() === before ? quiet + 1 : 0) {
    before = heldBytes();
    await turn();
  }
  t.true(before > 2 * BLOCK_BYTES && before <= WINDOW_BYTES, `${before} bytes came`);
  const end = once(stream, 'end');
  kept.collect(reader);
  reader.resume();
  const collecting = setInterval(() => kept.collect(reader), 1);
  await end;
  clearInterval(collecting);
  kept.collect(reader);
  t.true(kept.all().equals(bytes));
});

test('streams at the same time and one after the other do not share a place', async (t) => {
  for (let round = 0; round < 3; round++) {
    const streams = [await openStream(t.context), await openStream(t.context), await openStream(t.context)];
    await Promise.all(
      [1_000_000, 2_000_003, 3_000_007].map(async (count, index) => {
        const { request, stream } = streams[index] as Awaited<ReturnType<typeof openStream>>;
        const bytes = pattern(count).map((byte) => byte ^ index);
        const kept = keeper();
        const reader = readStream(stream, kept.take);
        const end = once(stream, 'end');
        reader.resume();
        request.end(bytes);
        const collecting = setInterval(() => kept.collect(reader), index + 1);
        await end;
        clearInterval(collecting);
        kept.collect(reader);
        stream.respond({ ':status': 200 }, { endStream: true });
        t.true(kept.all().equals(bytes), `${count} bytes in round ${round}`);
      }),
    );
  }
});

test('what is held of a stream that has closed stays until it is released', async (t) => {
  const first = await openStream(t.context);
  const bytes = pattern(100_000);
  const kept = keeper();
  const reader = readStream(first.stream, kept.take);
  reader.resume();
  const closed = once(first.stream, 'close');
  first.request.write(bytes);
  while (kept.held.reduce((sum, { byteLength }) => sum + byteLength, 0) < bytes.byteLength) await turn();
  first.request.close();
  await closed;
  const second = await openStream(t.context);
  const other = readStream(second.stream, () => other.release());
  other.resume();
  const end = once(second.stream, 'end');
  second.request.end(Buffer.alloc(2_000_000));
  await end;
  kept.collect(reader);
  t.true(kept.all().equals(bytes));
});

test('a client that goes in the middle ends the stream, and nothing comes any more', async (t) => {
  const { request, stream } = await openStream(t.context);
  let came = 0;
  const reader = readStream(stream, ({ byteLength }) => {
    came += byteLength;
    reader.release();
  });
  reader.resume();
  const closed = once(stream, 'close');
  request.write(pattern(500_000));
  while (came < 500_000) await turn();
  request.close();
  await closed;
  reader.pause();
  reader.resume();
  t.is(came, 500_000);
});
