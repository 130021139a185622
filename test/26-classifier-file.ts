import { createHash } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import type { Reason } from '../server/errors/catalogue.js';
import { Refusal } from '../server/errors/refusal.js';
import { compact } from '../server/networks/compact.js';
import { freezeOf } from '../server/parameters/freeze.js';
import { parameters } from '../server/parameters/registry.js';
import { defaultSettings, type Settings } from '../server/parameters/settings.js';
import { deserializeClassifier, serializeClassifier } from '../server/store/classifier_file.js';
import type { ClassifierRecord } from '../server/store/classifier_record.js';
import { STORED_PARAMETERS } from '../server/store/metadata.js';
import { headerLength, LENGTH_BYTES, parseHeader } from '../server/store/safetensors.js';

const PRECISIONS = ['float32', 'bfloat16'] as const;

function makeRecord(settings: Partial<Settings> = {}): ClassifierRecord {
  return {
    network: compact,
    settings: { ...defaultSettings(compact), classes: ['a', 'b'], ...settings },
    step: 41,
    seed: 2n ** 64n - 1n,
    tensors: [
      { name: 'conv.weight', shape: [2, 1, 1, 2], data: Float32Array.of(1.5, -0, 1e-45, 3.4e38) },
      { name: 'momentum/conv.weight', shape: [2, 1, 1, 2], data: Float32Array.of(1, 2, 3, 4) },
      { name: 'bn.running_var', shape: [3], data: Float32Array.of(0.5, 1, 2) },
    ],
  };
}

async function bytesOf(record: ClassifierRecord): Promise<Buffer> {
  const { parts, totalBytes } = await serializeClassifier(record);
  const bytes = Buffer.concat(parts);
  if (bytes.length !== totalBytes) throw new Error(`${bytes.length} bytes, ${totalBytes} were told`);
  return bytes;
}

const read = (bytes: Uint8Array, name = 'x.safetensors') => deserializeClassifier(bytes, name, PRECISIONS);

async function refusalOf(bytes: Uint8Array, name?: string): Promise<Refusal> {
  try {
    await read(bytes, name);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const integer = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const size = fc.integer({ min: 15, max: 32_768 });

const positive = fc.double({ min: 0, max: Number.MAX_VALUE, noNaN: true }).map((value) => value + 0);
const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }).map((value) => value + 0);

const anySettings: fc.Arbitrary<Settings> = fc
  .record({
    batchSize: integer,
    batchSizeMultiplier: integer,
    classes: fc.uniqueArray(text, { maxLength: 5 }),
    imageWidth: size,
    imageHeight: size,
    imageChannels: fc.constantFrom(1 as const, 3 as const),
    learningRate: fc.double({ min: Number.MIN_VALUE, max: Number.MAX_VALUE, noNaN: true }),
    momentum: share,
    weightPrior: positive,
    weightDecay: positive,
    solverType: fc.constantFrom('sgd' as const, 'adam' as const),
    adamBeta1: share,
    adamBeta2: share,
    adamEpsilon: fc.double({ min: 1e-15, max: Number.MAX_VALUE, noNaN: true }),
    maxGradientNorm: positive,
    batchNormMomentum: fc.double({ min: 0, minExcluded: true, max: 1, noNaN: true }),
    freeze: fc.constantFrom([], ['block1.*'], ['block?.bn', 'block1.conv']).map((patterns) => freezeOf(compact, patterns)),
    precision: fc.constantFrom('float32' as const, 'bfloat16' as const),
    deterministic: fc.boolean(),
    runtime: fc.constant('cpu' as const),
    gpu: fc.constant(0),
    metaData: fc.dictionary(text, fc.string({ unit: 'grapheme' })).map((entries) => new Map(Object.entries(entries))),
  })
  .chain((settings) => {
    const weights = fc.array(positive, { minLength: settings.classes.length, maxLength: settings.classes.length });
    const usable = weights.map((classWeights) => (classWeights.some((weight) => weight > 0) ? classWeights : []));
    return usable.map((classWeights) => ({ ...settings, classWeights }));
  });

test('every setting, the step, the seed and every bit of every tensor come back', async (t) => {
  const values = fc.float32Array({ noNaN: true, noDefaultInfinity: true, maxLength: 8 });
  const record = fc.record({ settings: anySettings, step: fc.maxSafeNat(), seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), values });
  await fc.assert(
    fc.asyncProperty(record, async ({ settings, step, seed, values: data }) => {
      const stored: ClassifierRecord = { network: compact, settings, step, seed, tensors: [{ name: 'w', shape: [data.length], data }] };
      const found = await read(await bytesOf(stored));
      t.deepEqual({ ...found, tensors: [] }, { ...stored, tensors: [] });
      const bits = new Uint32Array(found.tensors[0]?.data.slice().buffer ?? new ArrayBuffer());
      t.deepEqual(bits, new Uint32Array(data.slice().buffer));
    }),
  );
});

test('all parameters that can be set and read are stored, but for those of the machine', (t) => {
  const stored: readonly string[] = [...STORED_PARAMETERS, 'classes'];
  const settable = parameters.filter((one) => one.set !== null && one.get !== null).map((one) => one.name);
  const elsewhere = ['image_width', 'image_height', 'image_num_channels', 'gpu', 'runtime'];
  t.deepEqual(settable.filter((name) => !stored.includes(name)).sort(), elsewhere.sort());
});

test('it is a safetensors file with the names of torchvision', async (t) => {
  const bytes = await bytesOf(makeRecord());
  const length = headerLength(bytes, bytes.length);
  const data = bytes.subarray(LENGTH_BYTES + length);
  const { metadata, tensors } = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), data.length);
  t.deepEqual(tensors.map(({ name, dtype }) => `${dtype} ${name}`).sort(), [
    'F32 bn.running_var',
    'F32 conv.weight',
    'F32 momentum/conv.weight',
    'I64 bn.num_batches_tracked',
  ]);
  const count = tensors.find(({ dtype }) => dtype === 'I64');
  t.is(data.readBigInt64LE(count?.begin), 41n);
  t.is(metadata.get('format'), 'dl-classifier');
  t.is(metadata.get('format_version'), '1');
  t.is(metadata.get('network'), 'compact');
  t.is(metadata.get('classes'), '["a","b"]');
  t.is(metadata.get('step'), '41');
  t.is(metadata.get('seed'), '18446744073709551615');
  t.is(metadata.get('checksum'), createHash('sha256').update(data).digest('hex'));
});

test('the same classifier gives the same bytes', async (t) => {
  t.true((await bytesOf(makeRecord())).equals(await bytesOf(makeRecord())));
});

test('a precision that this machine does not have becomes float32', async (t) => {
  const bytes = await bytesOf(makeRecord({ precision: 'bfloat16' }));
  t.is((await deserializeClassifier(bytes, 'x', ['float32'])).settings.precision, 'float32');
});

test('bytes that begin anywhere in memory are read', async (t) => {
  const bytes = await bytesOf(makeRecord());
  const shifted = Buffer.alloc(bytes.length + 3);
  bytes.copy(shifted, 3);
  t.deepEqual(await read(shifted.subarray(3)), await read(bytes));
});

test('a header that no set of parameters makes is refused before it is parsed, and not written either', async (t) => {
  const length = 33 * 2 ** 20;
  const bytes = Buffer.alloc(8 + length, ' ');
  bytes.writeBigUInt64LE(BigInt(length));
  t.regex((await refusalOf(bytes)).metadata.problem ?? '', /its header has 34603008 bytes, that of a classifier 33554432 at most/);
  const metaData = new Map([['notes', 'x'.repeat(length)]]);
  const refusal = await t.throwsAsync<Refusal>(serializeClassifier(makeRecord({ metaData })), { instanceOf: Refusal });
  t.is(refusal.reason, 'LIMIT_EXCEEDED');
});

const FILE_REASONS: readonly Reason[] = ['FILE_DAMAGED', 'FILE_NOT_OURS', 'FILE_TOO_NEW'];

test('a change of any one byte is found', async (t) => {
  const bytes = await bytesOf(makeRecord());
  for (let index = 0; index < bytes.length; index++) {
    const changed = Buffer.from(bytes);
    // A different bit for every position, so that all eight are tried.
    changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
    const { reason } = await refusalOf(changed);
    t.true(FILE_REASONS.includes(reason), `byte ${index}: ${reason}`);
  }
});

test('a file cut off anywhere is refused', async (t) => {
  const bytes = await bytesOf(makeRecord());
  const mark = '"format":"dl-classifier"';
  const recognised = bytes.indexOf(mark) + mark.length;
  for (let length = 0; length < bytes.length; length++) {
    const { reason } = await refusalOf(bytes.subarray(0, length));
    t.is(reason, length < recognised ? 'FILE_NOT_OURS' : 'FILE_DAMAGED', `${length} bytes`);
  }
});

test('whatever is done to the bytes, the answer is the classifier or a refusal', async (t) => {
  const bytes = await bytesOf(makeRecord());
  const position = fc.nat(bytes.length - 1);
  const edit = fc.record({ at: position, remove: fc.nat(16), insert: fc.uint8Array({ maxLength: 16 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
      let changed = bytes;
      for (const { at, remove, insert } of edits) {
        changed = Buffer.concat([changed.subarray(0, at), insert, changed.subarray(at + remove)]);
      }
      if (changed.equals(bytes)) return;
      t.true(FILE_REASONS.includes((await refusalOf(changed)).reason));
    }),
    { numRuns: 1000 },
  );
});

/** The file with other text in its header, its own checksum made to fit: what another program could write. */
async function withHeader(change: (header: string) => string): Promise<Buffer> {
  const bytes = await bytesOf(makeRecord());
  const length = headerLength(bytes, bytes.length);
  const changed = change(bytes.toString('utf8', LENGTH_BYTES, LENGTH_BYTES + length));
  const mark = /("header_checksum":")[0-9a-f]{64}/;
  const zeroed = changed.replace(mark, `$1${'0'.repeat(64)}`);
  const header = Buffer.from(zeroed.replace(mark, `$1${createHash('sha256').update(zeroed).digest('hex')}`));
  const lengthField = Buffer.alloc(LENGTH_BYTES);
  lengthField.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([lengthField, header, bytes.subarray(LENGTH_BYTES + length)]);
}

test('a header written anew is read', async (t) => {
  t.is((await read(await withHeader((header) => header.replace('"step":"41"', '"step":"42"')))).step, 42);
});

test('a newer version is told as such, with both versions', async (t) => {
  const refusal = await refusalOf(
    await withHeader((header) => header.replace('"format_version":"1"', '"format_version":"2"')),
    'new.safetensors',
  );
  t.is(refusal.number, 7782);
  t.deepEqual(refusal.metadata, { file_name: 'new.safetensors', got_version: '2', supported_version: '1' });
});

const BAD_HEADERS: readonly [what: string, from: string | RegExp, to: string, reason: Reason, problem: RegExp][] = [
  ['a file of another program', '"format":"dl-classifier"', '"format":"pt"', 'FILE_NOT_OURS', /another program/],
  ['no version', '"format_version":"1",', '', 'FILE_DAMAGED', /format_version/],
  ['a version that is no number', '"format_version":"1"', '"format_version":"one"', 'FILE_DAMAGED', /format_version is "one"/],
  ['an unknown network', '"network":"compact"', '"network":"vgg16"', 'FILE_DAMAGED', /network "vgg16" is unknown/],
  ['a step that is no integer', '"step":"41"', '"step":"4.1"', 'FILE_DAMAGED', /step is no integer/],
  ['a step beyond all steps', '"step":"41"', '"step":"9007199254740992"', 'FILE_DAMAGED', /step is no integer/],
  ['a seed of more than 64 bits', '"18446744073709551615"', '"18446744073709551616"', 'FILE_DAMAGED', /seed is no integer/],
  ['classes that are no list', '"classes":"[\\"a\\",\\"b\\"]"', '"classes":"{}"', 'FILE_DAMAGED', /classes are no list/],
  ['classes that are no JSON', '"classes":"[\\"a\\",', '"classes":"[\\"a\\"', 'FILE_DAMAGED', /classes are not JSON/],
  ['a class twice', '[\\"a\\",\\"b\\"]', '[\\"a\\",\\"a\\"]', 'FILE_DAMAGED', /positions 0 and 1/],
  ['a class that is no name', '[\\"a\\",\\"b\\"]', '[\\"a\\",null]', 'FILE_DAMAGED', /classes has the value null/],
  ['a parameter out of its range', '\\"momentum\\":0.9', '\\"momentum\\":1.9', 'FILE_DAMAGED', /momentum is 1.9/],
  ['a parameter of another type', '\\"momentum\\":0.9', '\\"momentum\\":\\"0.9\\"', 'FILE_DAMAGED', /momentum takes a real number/],
  ['a parameter too few', '\\"momentum\\":0.9,', '', 'FILE_DAMAGED', /momentum has the value undefined/],
  ['parameters that are no object', /"parameters":"(?:[^"\\]|\\.)*"/, '"parameters":"7"', 'FILE_DAMAGED', /parameters are no object/],
  ['an image too small', '[224,224,3]', '[8,224,3]', 'FILE_DAMAGED', /at least 15/],
  [
    'a tensor of another type',
    /"F32","shape":\[3\],"data_offsets":\[(\d+),(\d+)\]/,
    '"U32","shape":[3],"data_offsets":[$1,$2]',
    'FILE_DAMAGED',
    /U32, not F32/,
  ],
  ['the checksum of other data', /"checksum":"[0-9a-f]/, '"checksum":"x', 'FILE_DAMAGED', /checksum of its data/],
];

for (const [what, from, to, reason, problem] of BAD_HEADERS) {
  test(`refused: ${what}`, async (t) => {
    const bytes = await withHeader((header) => {
      const changed = header.replace(from, to);
      t.not(changed, header, 'the test changes something');
      return changed;
    });
    const refusal = await refusalOf(bytes);
    t.is(refusal.reason, reason);
    t.is(refusal.number, 7703);
    t.regex(refusal.metadata.problem ?? '', problem);
  });
}

for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
  test(`refused: a tensor that holds ${value}`, async (t) => {
    const record = makeRecord();
    const tensors = [...record.tensors, { name: 'fc.bias', shape: [2], data: Float32Array.of(1, value) }];
    const refusal = await refusalOf(await bytesOf({ ...record, tensors }));
    t.is(refusal.reason, 'FILE_DAMAGED');
    t.regex(refusal.message, /"fc.bias" holds NaN or infinity/);
  });
}

test("HALCON's own files are recognised by their name, with the way out", async (t) => {
  const refusal = await refusalOf(Buffer.from('not a safetensors file at all'), 'old.hdl');
  t.is(refusal.reason, 'FILE_NOT_OURS');
  t.is(refusal.number, 7703);
  t.regex(refusal.message, /closed format.*read a network instead/);
});

test('any other file is not ours', async (t) => {
  const refusal = await refusalOf(Buffer.from('\x89PNG\r\n\x1a\nand so on'), 'picture.safetensors');
  t.is(refusal.reason, 'FILE_NOT_OURS');
  t.regex(refusal.message, /WriteClassifier or SerializeClassifier/);
});
