import test from 'ava';
import fc from 'fast-check';
import { TrainBatchRequest } from '../generated/dlclassifier/v1/classifier.js';
import { CHUNK_BYTES } from '../server/config.js';
import { FrameError, FrameReader } from '../server/transport/frame_reader.js';
import { grpcFrame } from './support/raw_http2.js';

const LIMIT = 2 * 1024 * 1024;

/** What a call sends: the bytes of a message that carries nothing else, or a message that is put together. */
type Sent = { readonly pixels: Uint8Array } | { readonly message: Uint8Array };

function encode(sent: Sent): Uint8Array {
  if ('message' in sent) return sent.message;
  return TrainBatchRequest.encode({ header: undefined, pixels: sent.pixels, commit: undefined }).finish();
}

/** What the reader makes of frames that come cut at these places, chunks put together again. */
function read(frames: Buffer, cuts: readonly number[]): Sent[] {
  const reader = new FrameReader(LIMIT);
  const sent: Sent[] = [];
  let pieces: Buffer[] = [];
  const endChunk = () => {
    if (pieces.length > 0) sent.push({ pixels: Buffer.concat(pieces) });
    pieces = [];
  };
  const places = [0, ...[...cuts].sort((a, b) => a - b), frames.length];
  for (let index = 1; index < places.length; index++) {
    for (const { bytes, message } of reader.push(frames.subarray(places[index - 1], places[index]))) {
      if (bytes !== null) pieces.push(bytes);
      else {
        endChunk();
        sent.push({ message });
      }
    }
  }
  endChunk();
  return sent;
}

/** Chunks that follow each other are told apart by nobody. */
function joined(all: readonly Sent[]): Sent[] {
  const result: Sent[] = [];
  for (const sent of all) {
    const last = result.at(-1);
    if ('pixels' in sent && last !== undefined && 'pixels' in last) {
      result[result.length - 1] = { pixels: Buffer.concat([last.pixels, sent.pixels]) };
    } else result.push('pixels' in sent ? { pixels: Buffer.from(sent.pixels) } : { message: Buffer.from(sent.message) });
  }
  return result;
}

const commit = TrainBatchRequest.encode({ header: undefined, pixels: new Uint8Array(), commit: { crc32: 7 } }).finish();

const anySent: fc.Arbitrary<Sent> = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 300 }).map((pixels) => ({ pixels })),
  fc.integer({ min: 16_380, max: 16_390 }).map((length) => ({ pixels: new Uint8Array(length).fill(length) })),
  fc.constant({ message: commit }),
  fc.constant({ message: new Uint8Array() }),
  // Not of field 2, or with more than field 2: it is put together.
  fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => ({ message: Uint8Array.of(0x0a, ...bytes) })),
);

test('whatever the places at which the network cuts them, all messages and all bytes come in order', (t) => {
  const property = fc.property(fc.array(anySent, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 12 }), (all, places) => {
    const frames = Buffer.concat(all.map((sent) => grpcFrame(encode(sent))));
    const cuts = places.map((place) => place % (frames.length + 1));
    t.deepEqual(read(frames, cuts), joined(all));
  });
  t.notThrows(() => fc.assert(property, { numRuns: 500 }));
});

test('byte by byte', (t) => {
  const all = [{ pixels: new Uint8Array(200).fill(3) }, { message: commit }, { pixels: Uint8Array.of(9) }];
  const frames = Buffer.concat(all.map((sent) => grpcFrame(encode(sent))));
  t.deepEqual(read(frames, [...frames.keys()]), joined(all));
});

test('bytes are not copied', (t) => {
  const frames = grpcFrame(encode({ pixels: new Uint8Array(1000).fill(1) }));
  const [arrival] = new FrameReader(LIMIT).push(frames);
  t.is(arrival?.bytes?.buffer, frames.buffer);
});

test('bytes beside a header or a commit, and a chunk beyond what is allowed, are left to the decoder', (t) => {
  const pixels = Uint8Array.of(1, 2, 3);
  const whole = TrainBatchRequest.encode({ header: undefined, pixels, commit: { crc32: 7 } }).finish();
  t.deepEqual(read(grpcFrame(whole), []), [{ message: Buffer.from(whole) }]);
  const large = encode({ pixels: new Uint8Array(CHUNK_BYTES + 1) });
  t.deepEqual(read(grpcFrame(large), []), [{ message: Buffer.from(large) }]);
  t.true('pixels' in (read(grpcFrame(encode({ pixels: new Uint8Array(CHUNK_BYTES) })), [])[0] ?? {}));
});

test('a message beyond the limit is refused by its head', (t) => {
  const head = grpcFrame(new Uint8Array(LIMIT + 1)).subarray(0, 10);
  t.true(t.throws(() => new FrameReader(LIMIT).push(head), { instanceOf: FrameError })?.tooLarge);
});

test('a compressed message in a call that announced none is refused', (t) => {
  const frames = grpcFrame(commit);
  frames[0] = 1;
  t.false(t.throws(() => new FrameReader(LIMIT).push(frames), { instanceOf: FrameError })?.tooLarge);
});
