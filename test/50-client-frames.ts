import { crc32 } from 'node:zlib';
import test from 'ava';
import { CHUNK_BYTES, chunks, uploadBody } from '../client/upload/body.js';
import { chunkHead, frame } from '../client/upload/frame.js';
import { ApplyClassifierRequest, DeserializeClassifierRequest, TrainBatchRequest } from '../generated/dlclassifier/v1/classifier.js';
import { grpcFrame } from './support/raw_http2.js';

/** Around every change in the length of the varint. */
const LENGTHS = [1, 2, 127, 128, 129, 16_383, 16_384, CHUNK_BYTES, 2 ** 20, 2 ** 21 - 1, 2 ** 21];

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
}

for (const length of LENGTHS) {
  test(`a chunk of ${length} bytes with its head is the frame of what the generated encoder makes of it`, (t) => {
    const bytes = pattern(length);
    const sent = Buffer.concat([chunkHead(length), bytes]);

    const pixels = { header: undefined, pixels: bytes, commit: undefined };
    t.true(sent.equals(grpcFrame(TrainBatchRequest.encode(pixels).finish())));
    t.true(sent.equals(grpcFrame(ApplyClassifierRequest.encode(pixels).finish())));
    const data = { header: undefined, data: bytes, commit: undefined };
    t.true(sent.equals(grpcFrame(DeserializeClassifierRequest.encode(data).finish())));
  });
}

test('a chunk without bytes, or of more than a varint of 4 bytes tells, is refused', (t) => {
  t.throws(() => chunkHead(0), { instanceOf: RangeError });
  t.throws(() => chunkHead(2 ** 28), { instanceOf: RangeError });
});

test('a frame is not compressed and tells the length of its message', (t) => {
  t.deepEqual([...frame(Uint8Array.of(7, 8, 9))], [0, 0, 0, 0, 3, 7, 8, 9]);
  t.true(frame(pattern(70_000)).equals(grpcFrame(pattern(70_000))));
});

test('chunks carry all bytes of all parts in order, whatever the sizes of the parts', (t) => {
  const sizes = [0, 1, CHUNK_BYTES - 1, 0, 3 * CHUNK_BYTES + 5, 7, 0, CHUNK_BYTES, ...new Array<number>(300).fill(500)];
  const parts = sizes.map(pattern);
  const body = uploadBody(parts);
  const whole = Buffer.concat(parts);
  const cut = [...chunks(body)];

  t.is(body.byteLength, whole.length);
  t.true(Buffer.concat(cut.flatMap(({ pieces }) => pieces)).equals(whole));
  t.deepEqual(
    cut.map(({ byteLength }) => byteLength),
    [...new Array<number>(6).fill(CHUNK_BYTES), whole.length - 6 * CHUNK_BYTES],
  );
  for (const { pieces, byteLength } of cut) {
    t.is(
      pieces.reduce((sum, piece) => sum + piece.length, 0),
      byteLength,
    );
    t.true(pieces.length <= 32);
  }
  // As the sender computes the commit: piece by piece.
  t.is(
    cut.flatMap(({ pieces }) => pieces).reduce((sum, piece) => crc32(piece, sum), 0),
    crc32(whole),
  );
});

test('large parts are not copied', (t) => {
  const part = pattern(2 * CHUNK_BYTES);
  for (const { pieces } of chunks(uploadBody([part]))) for (const piece of pieces) t.is(piece.buffer, part.buffer);
});

test('nothing to send is no chunk', (t) => {
  t.deepEqual([...chunks(uploadBody([]))], []);
  t.deepEqual([...chunks(uploadBody([new Uint8Array(0)]))], []);
});
