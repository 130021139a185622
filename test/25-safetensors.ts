import test from 'ava';
import fc from 'fast-check';
import { encodeHeader, headerLength, LENGTH_BYTES, parseHeader, SafetensorsProblem } from '../server/store/safetensors.js';

/** A file of the given header text and data length, as the parser gets it. */
function parse(header: string | Uint8Array, dataBytes: number) {
  return parseHeader(typeof header === 'string' ? Buffer.from(header) : header, dataBytes);
}

test('a file as the format describes it', (t) => {
  const header =
    '{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},"a":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}';
  const { metadata, tensors } = parse(header, 16);
  t.deepEqual([...metadata], [['format', 'pt']]);
  t.deepEqual(tensors, [
    { name: 'b', dtype: 'F32', shape: [2, 1], begin: 8, end: 16 },
    { name: 'a', dtype: 'I64', shape: [], begin: 0, end: 8 },
  ]);
});

/** Sorted: a JSON object has no order, and JavaScript puts names that are integers first. */
function byKey<Value>(entries: Iterable<readonly [string, Value]>): (readonly [string, Value])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

test('what is written begins with its length, is padded to 8 bytes and reads back', (t) => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => text !== '__metadata__');
  const tensor = fc.record({ name, shape: fc.array(fc.nat(4), { maxLength: 4 }) });
  const tensors = fc.uniqueArray(tensor, { selector: (one) => one.name, maxLength: 6 });
  const metadata = fc.uniqueArray(fc.tuple(name, fc.string({ unit: 'grapheme' })), { selector: ([key]) => key });
  fc.assert(
    fc.property(tensors, metadata, (list, pairs) => {
      const entries = list.map(({ name: tensorName, shape }) => {
        const data = new Uint8Array(shape.reduce((a, b) => a * b, 4));
        return { name: tensorName, dtype: 'F32', shape, data };
      });
      const bytes = encodeHeader(new Map(pairs), entries);
      const dataBytes = entries.reduce((sum, { data }) => sum + data.byteLength, 0);
      const length = headerLength(bytes, bytes.byteLength + dataBytes);
      t.is(length + LENGTH_BYTES, bytes.byteLength);
      t.is(length % 8, 0);
      const parsed = parse(bytes.subarray(LENGTH_BYTES), dataBytes);
      t.deepEqual(byKey(parsed.metadata), byKey(pairs));
      t.deepEqual(byKey(parsed.tensors.map((one) => [one.name, one.shape])), byKey(entries.map((one) => [one.name, one.shape])));
    }),
  );
});

const F32 = (begin: number, end: number, shape = `[${(end - begin) / 4}]`) =>
  `{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;

const HOSTILE: readonly [what: string, header: string | Uint8Array, dataBytes: number, problem: RegExp][] = [
  ['no JSON', '{"a":', 0, /not JSON/],
  ['no UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), 0, /not JSON in UTF-8/],
  ['a byte order mark', Buffer.from('\ufeff{}'), 0, /not JSON/],
  ['a list', '[]', 0, /not a JSON object/],
  ['null', 'null', 0, /not a JSON object/],
  ['metadata that are no object', '{"__metadata__":[]}', 0, /__metadata__ is not an object/],
  ['metadata that are no strings', '{"__metadata__":{"step":1}}', 0, /"step" is not a string/],
  ['a tensor that is no object', '{"a":1}', 0, /"a" is not an object/],
  ['an unknown type', '{"a":{"dtype":"F31","shape":[],"data_offsets":[0,4]}}', 4, /unknown type "F31"/],
  ['a type from the prototype', '{"a":{"dtype":"toString","shape":[],"data_offsets":[0,4]}}', 4, /unknown type "toString"/],
  ['no type', '{"a":{"shape":[],"data_offsets":[0,4]}}', 4, /unknown type undefined/],
  ['no shape', '{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4, /no shape/],
  ['a negative size', `{"a":${F32(0, 4, '[-1,-1]')}}`, 4, /no shape/],
  ['a fractional size', `{"a":${F32(0, 4, '[0.5,2]')}}`, 4, /no shape/],
  ['a size that is no number', `{"a":${F32(0, 4, '["NaN"]')}}`, 4, /no shape/],
  ['sizes beyond all integers', `{"a":${F32(0, 4, '[9007199254740991,9007199254740991]')}}`, 4, /its shape and type need/],
  ['sizes whose product wraps to 0 in 64 bits', `{"a":${F32(0, 0, '[4294967296,4294967296]')}}`, 0, /its shape and type need/],
  ['one offset', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}', 4, /no two offsets/],
  ['negative offsets', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}', 4, /no two offsets/],
  ['an end before the beginning', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', 4, /has -4 bytes/],
  ['too few bytes for the shape', `{"a":${F32(0, 4, '[2]')}}`, 4, /has 4 bytes, its shape and type need 8/],
  ['overlapping tensors', `{"a":${F32(0, 8)},"b":${F32(4, 12)}}`, 12, /"b" begins at 4, not at 8/],
  ['the same bytes twice', `{"a":${F32(0, 8)},"b":${F32(0, 8)}}`, 8, /begins at 0, not at 8/],
  ['a hole', `{"a":${F32(0, 4)},"b":${F32(8, 12)}}`, 12, /"b" begins at 8, not at 4/],
  ['tensors beyond the end', `{"a":${F32(0, 8)}}`, 4, /have 8 bytes, the file has 4/],
  ['bytes after the last tensor', `{"a":${F32(0, 4)}}`, 8, /have 4 bytes, the file has 8/],
];

for (const [what, header, dataBytes, problem] of HOSTILE) {
  test(`refused: ${what}`, (t) => {
    t.throws(() => parse(header, dataBytes), { instanceOf: SafetensorsProblem, message: problem });
  });
}

function lengthBytes(length: bigint): Uint8Array {
  const bytes = Buffer.alloc(LENGTH_BYTES);
  bytes.writeBigUInt64LE(length);
  return bytes;
}

for (const [what, bytes, fileBytes, problem] of [
  ['an empty file', new Uint8Array(), 0, /has 0 bytes only/],
  ['a file of 7 bytes', new Uint8Array(7), 7, /has 7 bytes only/],
  ['a header longer than the file', lengthBytes(93n), 100, /claims 93 bytes, the file ends after 92/],
  ['a header of 2^64 - 1 bytes', lengthBytes(2n ** 64n - 1n), 100, /claims 18446744073709551615 bytes/],
  ['a header longer than the format allows', lengthBytes(100_000_001n), 200_000_000, /claims 100000001 bytes/],
] as const) {
  test(`refused: ${what}`, (t) => {
    t.throws(() => headerLength(bytes, fileBytes), { instanceOf: SafetensorsProblem, message: problem });
  });
}

test('a header that just fits is read', (t) => t.is(headerLength(lengthBytes(92n), 100), 92));

test('names from the prototype are names', (t) => {
  const { tensors } = parse(`{"__proto__":${F32(0, 4)},"constructor":${F32(4, 8)}}`, 8);
  t.deepEqual(
    tensors.map(({ name }) => name),
    ['__proto__', 'constructor'],
  );
});

test('a header nested a hundred thousand deep is refused, not a crash', (t) => {
  const depth = 100_000;
  t.throws(() => parse(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`, 0), { instanceOf: SafetensorsProblem });
});

test('whatever the bytes are, the answer is a header or a SafetensorsProblem', (t) => {
  const text = fc.oneof(
    fc.json(),
    fc.string(),
    fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        text.map((value) => Buffer.from(value)),
      ),
      fc.nat(100),
      (header, dataBytes) => {
        try {
          parse(header, dataBytes);
        } catch (error) {
          t.true(error instanceof SafetensorsProblem, String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
  t.pass();
});
