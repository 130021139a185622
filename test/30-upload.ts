import { execFileSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import test from 'ava';
import { CHUNK_BYTES } from '../server/config.js';
import type { Reason } from '../server/errors/catalogue.js';
import type { Refusal } from '../server/errors/refusal.js';
import { UploadBudget } from '../server/upload/budget.js';
import type { TakePieces, UploadMessages } from '../server/upload/messages.js';
import { receiveUpload, type UploadMessage, UploadReceiver } from '../server/upload/receive.js';
import { uploadMessages } from './support/upload_messages.js';

interface Header {
  readonly totalBytes: number;
}

type Message = UploadMessage<Header>;

/** What a source yields: a message, or bytes without one. */
type Arrival = Message | readonly Uint8Array[];

/** A sink of plain memory that records what happens to it. */
class MemorySink {
  readonly bytes: Uint8Array;
  closed = 0;

  constructor(totalBytes: number) {
    this.bytes = new Uint8Array(totalBytes);
  }

  write(offset: number, pieces: readonly Uint8Array[], checksum: number): number {
    const all = Buffer.concat(pieces);
    this.bytes.set(all, offset);
    return crc32(all, checksum);
  }

  close(): void {
    this.closed++;
  }
}

async function* stream(...messages: Arrival[]): AsyncGenerator<Arrival> {
  yield* messages;
}

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31) % 251);
}

const nothing = new Uint8Array();
const never = new AbortController().signal;

function receive(messages: AsyncIterable<Arrival>, signal = never, idleSeconds = 60) {
  const sinks: MemorySink[] = [];
  const result = receiveUpload(
    uploadMessages(messages),
    (header: Header) => {
      const sink = new MemorySink(header.totalBytes);
      sinks.push(sink);
      return { totalBytes: header.totalBytes, sink };
    },
    { signal, server: { limits: { transferIdleSeconds: idleSeconds } } },
  );
  return { result, sinks };
}

test('the bytes of all messages arrive in order and the sink stays open for its new owner', async (t) => {
  const all = bytes(1000);
  const { result } = receive(
    stream(
      { header: { totalBytes: 1000 }, pixels: all.subarray(0, 10) },
      { pixels: all.subarray(10, 999) },
      { pixels: all.subarray(999) },
      { pixels: nothing, commit: { crc32: crc32(all) } },
    ),
  );
  const { sink } = await result;
  t.deepEqual(sink.bytes, all);
  t.is(sink.closed, 0);
});

test('one message may carry header, bytes and commit', async (t) => {
  const all = bytes(50);
  const { sink } = await receive(stream({ header: { totalBytes: 50 }, data: all, commit: { crc32: crc32(all) } })).result;
  t.deepEqual(sink.bytes, all);
});

test('bytes may come without a message', async (t) => {
  const all = bytes(900);
  const pieces = [all.subarray(0, 300), nothing, all.subarray(300, 301), all.subarray(301)];
  const { sink } = await receive(
    stream({ header: { totalBytes: 900 }, pixels: nothing }, pieces, { pixels: nothing, commit: { crc32: crc32(all) } }),
  ).result;
  t.deepEqual(sink.bytes, all);
});

test('an upload of which nothing more comes is ended, and its sink closed', async (t) => {
  const silent = async function* (): AsyncGenerator<Message> {
    yield { header: { totalBytes: 10 }, pixels: bytes(4) };
    await new Promise(() => {});
  };
  const { result, sinks } = receive(silent(), never, 0.05);
  // The limit alone would not keep the process: a server has its sockets.
  const alive = setInterval(() => {}, 1000);
  const error = await t.throwsAsync<Refusal>(result);
  clearInterval(alive);
  t.is(error.reason, 'CLIENT_STALLED');
  t.deepEqual(error.metadata, { problem: 'nothing came after 4 bytes of an upload', seconds: '0.05' });
  t.is(sinks[0]?.closed, 1);
});

test('each piece that comes gives the upload its whole time again', async (t) => {
  const all = bytes(50);
  const slow = async function* (): AsyncGenerator<Arrival> {
    yield { header: { totalBytes: 50 }, pixels: nothing };
    for (let offset = 0; offset < 50; offset += 10) {
      await setTimeout(500);
      yield [all.subarray(offset, offset + 10)];
    }
    yield { pixels: nothing, commit: { crc32: crc32(all) } };
  };
  const { sink } = await receive(slow(), never, 2).result;
  t.deepEqual(sink.bytes, all);
});

test('bytes that come when the upload has ended are not written', async (t) => {
  const late: TakePieces[] = [];
  const header = { header: { totalBytes: 10 }, pixels: nothing };
  const messages: UploadMessages<Message> = {
    next: async (take) => {
      late.push(take);
      return late.length === 1 ? header : null;
    },
  };
  const sink = new MemorySink(10);
  const receiver = new UploadReceiver(messages, never, 60);
  const error = await t.throwsAsync<Refusal>(receiver.next(() => ({ totalBytes: 10, sink })));
  t.is(error.reason, 'UPLOAD_TRUNCATED');
  t.is(sink.closed, 1);
  for (const take of late) take([bytes(10).fill(1)]);
  t.deepEqual(sink.bytes, new Uint8Array(10));
});

test('what follows the commit is not read', async (t) => {
  const all = bytes(5);
  let readOn = false;
  async function* messages(): AsyncGenerator<Message> {
    yield { header: { totalBytes: 5 }, pixels: all, commit: { crc32: crc32(all) } };
    readOn = true;
  }
  await receive(messages()).result;
  t.false(readOn);
});

interface Fault {
  readonly title: string;
  readonly messages: readonly Arrival[];
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string>>;
}

const five = bytes(5);
const commit = { crc32: crc32(five) };
const faults: readonly Fault[] = [
  { title: 'no message at all', messages: [], reason: 'UPLOAD_TRUNCATED', metadata: { got: '0', wanted: 'unknown' } },
  {
    title: 'no header',
    messages: [{ pixels: five, commit }],
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: 'the first message has no header' },
  },
  {
    title: 'bytes in front of the header',
    messages: [[five], { header: { totalBytes: 5 }, pixels: nothing, commit }],
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: 'the first message has no header' },
  },
  {
    title: 'more bytes than declared, without a message',
    messages: [{ header: { totalBytes: 9 }, pixels: nothing }, [five], [nothing, five], { pixels: nothing, commit }],
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: 'at least 10 bytes came, 9 were declared' },
  },
  {
    title: 'a second header',
    messages: [
      { header: { totalBytes: 5 }, pixels: nothing },
      { header: { totalBytes: 5 }, pixels: five, commit },
    ],
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: 'a second header' },
  },
  {
    title: 'an end without commit',
    messages: [{ header: { totalBytes: 5 }, pixels: five }],
    reason: 'UPLOAD_TRUNCATED',
    metadata: { got: '5', wanted: '5' },
  },
  {
    title: 'a commit before the last byte',
    messages: [{ header: { totalBytes: 6 }, pixels: five, commit }],
    reason: 'UPLOAD_TRUNCATED',
    metadata: { got: '5', wanted: '6' },
  },
  {
    title: 'more bytes than declared',
    messages: [{ header: { totalBytes: 4 }, pixels: five, commit }],
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: 'at least 5 bytes came, 4 were declared' },
  },
  {
    title: 'a message beyond 1 MiB',
    messages: [{ header: { totalBytes: 2 * CHUNK_BYTES }, pixels: new Uint8Array(CHUNK_BYTES + 1) }],
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: 'a message with 1048577 bytes; a message may carry 1048576' },
  },
  {
    title: 'another checksum',
    messages: [{ header: { totalBytes: 5 }, pixels: five, commit: { crc32: 0 } }],
    reason: 'UPLOAD_CHECKSUM_MISMATCH',
    metadata: { got: crc32(five).toString(16).padStart(8, '0'), wanted: '00000000' },
  },
];

for (const fault of faults) {
  test(`${fault.title} is refused and the sink is closed`, async (t) => {
    const { result, sinks } = receive(stream(...fault.messages));
    const refusal = await t.throwsAsync<Refusal>(result);
    t.is(refusal.reason, fault.reason);
    t.deepEqual(refusal.metadata, fault.metadata);
    t.true(sinks.every((sink) => sink.closed === 1));
  });
}

test('a full message of 1 MiB is taken', async (t) => {
  const all = bytes(CHUNK_BYTES);
  const { sink } = await receive(stream({ header: { totalBytes: CHUNK_BYTES }, pixels: all, commit: { crc32: crc32(all) } })).result;
  t.is(Buffer.compare(sink.bytes, all), 0);
});

test('a client that goes before the commit ends the upload with the reason of the signal, even if all bytes are there', async (t) => {
  const controller = new AbortController();
  const reason = new Error('gone');
  async function* messages(): AsyncGenerator<Message> {
    yield { header: { totalBytes: 5 }, pixels: five };
    controller.abort(reason);
    yield { pixels: nothing, commit };
  }
  const { result, sinks } = receive(messages(), controller.signal);
  t.is(await t.throwsAsync(result), reason);
  t.is(sinks[0]?.closed, 1);
});

test('a stream that breaks closes the sink', async (t) => {
  async function* messages(): AsyncGenerator<Message> {
    yield { header: { totalBytes: 5 }, pixels: five };
    throw new Error('broken');
  }
  const { result, sinks } = receive(messages());
  await t.throwsAsync(result, { message: 'broken' });
  t.is(sinks[0]?.closed, 1);
});

test('the checksum is the CRC-32 of zlib', async (t) => {
  // The check value of CRC-32/ISO-HDLC in the catalogue of CRC algorithms: "123456789" -> cbf43926.
  const digits = Buffer.from('123456789');
  const { sink } = await receive(stream({ header: { totalBytes: 9 }, data: digits, commit: { crc32: 0xcbf43926 } })).result;
  t.deepEqual(Buffer.from(sink.bytes), digits);
});

test('uploads under way may not exceed their budget together', (t) => {
  const budget = new UploadBudget(100);
  const release = budget.reserve(60);
  const refusal = t.throws<Refusal>(() => budget.reserve(41));
  t.is(refusal.reason, 'SERVER_BUSY');
  t.true(refusal.retry);
  budget.reserve(40);
  release();
  release();
  t.is(budget.reserved, 40);
  const never = t.throws<Refusal>(() => budget.reserve(101));
  t.is(never.reason, 'LIMIT_EXCEEDED');
  t.false(never.retry);
  t.deepEqual(never.metadata, { limit: 'upload_bytes_total', got: '101', maximum: '100' });
  t.is(budget.reserved, 40);
});

/** A process that may have little more memory than it has. */
test('an upload for which there is no memory is refused, and what was reserved for it is free again', (t) => {
  const module = (name: string) => JSON.stringify(new URL(`../server/upload/${name}.ts`, import.meta.url).href);
  const program = `
    import { execFileSync } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    import { UploadBudget } from ${module('budget')};
    import { admitWhole } from ${module('whole')};
    const uploads = new UploadBudget(2 ** 32);
    const server = { limits: { serializedBytes: 2 ** 31 }, uploads };
    const used = Number(/VmSize:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
    execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + (used + 2 ** 30)]);
    try {
      admitWhole(2n ** 31n, server);
    } catch ({ reason, metadata, name }) {
      console.log(reason ?? name, metadata?.limit, uploads.reserved);
    }
  `;
  const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], { encoding: 'utf8' });
  t.is(output, 'SERVER_BUSY memory 0\n');
});
