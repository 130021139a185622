import { crc32 } from 'node:zlib';
import test from 'ava';
import { chunkMessages, uploadBody } from '../client/upload/body.js';
import { allocateChunkMessage, CHUNK_BYTES } from '../client/upload/chunk_message.js';
import { ApplyClassifierRequest, DeserializeClassifierRequest, TrainBatchRequest } from '../generated/dlclassifier/v1/classifier.js';

/** Around every change in the length of the varint. */
const LENGTHS = [1, 2, 127, 128, 129, 16_383, 16_384, CHUNK_BYTES, 2 ** 20, 2 ** 21 - 1, 2 ** 21];

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
}

for (const length of LENGTHS) {
  test(`a chunk of ${length} bytes is what the generated encoder makes of it`, (t) => {
    const bytes = pattern(length);
    const { message, payload } = allocateChunkMessage(length);
    payload.set(bytes);

    const pixels = { header: undefined, pixels: bytes, commit: undefined };
    t.true(message.equals(TrainBatchRequest.encode(pixels).finish()));
    t.true(message.equals(ApplyClassifierRequest.encode(pixels).finish()));
    const data = { header: undefined, data: bytes, commit: undefined };
    t.true(message.equals(DeserializeClassifierRequest.encode(data).finish()));
  });
}

test('a chunk without bytes, or of more than a varint of 4 bytes tells, is refused', (t) => {
  t.throws(() => allocateChunkMessage(0), { instanceOf: RangeError });
  t.throws(() => allocateChunkMessage(2 ** 28), { instanceOf: RangeError });
});

test('chunks carry all bytes of all parts in order, whatever the sizes of the parts', (t) => {
  const sizes = [0, 1, CHUNK_BYTES - 1, 0, 3 * CHUNK_BYTES + 5, 7, 0, CHUNK_BYTES];
  const parts = sizes.map(pattern);
  const body = uploadBody(parts);
  const chunks = [...chunkMessages(body)];
  const whole = Buffer.concat(parts);

  t.is(body.byteLength, whole.length);
  t.true(Buffer.concat(chunks.map(({ payload }) => payload)).equals(whole));
  t.deepEqual(
    chunks.map(({ payload }) => payload.length),
    [...new Array(5).fill(CHUNK_BYTES), whole.length - 5 * CHUNK_BYTES],
  );
  // As the sender computes the commit: chunk by chunk.
  t.is(
    chunks.reduce((sum, { payload }) => crc32(payload, sum), 0),
    crc32(whole),
  );
});

test('nothing to send is no chunk', (t) => {
  t.deepEqual([...chunkMessages(uploadBody([]))], []);
  t.deepEqual([...chunkMessages(uploadBody([new Uint8Array(0)]))], []);
});
