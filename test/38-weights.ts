/** Weights of other programs: what a file holds, whether it fits a network, and what is told where it does not. */
import test from 'ava';
import fc from 'fast-check';
import { engineBinding } from '../native/index.js';
import { Refusal } from '../server/errors/refusal.js';
import { resnet18 } from '../server/networks/resnet18.js';
import type { TensorEntry } from '../server/store/safetensors.js';
import { fitWeights, type WantedWeights } from '../server/weights/fit.js';
import { toFloat32 } from '../server/weights/float32.js';
import { loadWeights } from '../server/weights/load.js';
import { misfitRefusal } from '../server/weights/misfit_refusal.js';
import { namePatterns } from '../server/weights/name_patterns.js';
import { fromTimmMobilenetV2 } from '../server/weights/timm_mobilenet_v2.js';
import { readWeights } from '../server/weights/weight_tensor.js';
import { makeEngine } from './support/engine.js';
import { constant, constantWeights, tensorFile, withHeader } from './support/weight_files.js';

async function refusalOf(action: () => Promise<unknown>): Promise<Refusal> {
  try {
    await action();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** resnet18 with 1,000 classes. */
async function wanted(): Promise<WantedWeights> {
  const engine = makeEngine();
  const graph = resnet18.graph({ classes: 1000, channels: 3, width: 224, height: 224 });
  const model = new (engineBinding().Model)(engine, graph, { channels: 3, height: 224, width: 224 }, 1n);
  const { tensors } = model;
  await engine.close();
  return { network: 'resnet18', tensors, classLayer: 'fc' };
}

const fitOf = async (network: WantedWeights, tensors: readonly TensorEntry[]) =>
  fitWeights(network, await readWeights(tensorFile(tensors), 'weights.safetensors'));

/** What a shell makes of a pattern. */
function expand(pattern: string): string[] {
  const open = pattern.indexOf('{');
  if (open < 0) return [pattern];
  let depth = 0;
  const cuts = [open];
  let close = open;
  for (; close < pattern.length; close++) {
    if (pattern[close] === '{') depth++;
    if (pattern[close] === '}' && --depth === 0) break;
    if (pattern[close] === ',' && depth === 1) cuts.push(close);
  }
  const [before, inside, after] = [pattern.slice(0, open), pattern.slice(open + 1, close), pattern.slice(close + 1)];
  const range = /^(\d+)\.\.(\d+)$/.exec(inside);
  const choices = range
    ? Array.from({ length: Number(range[2]) - Number(range[1]) + 1 }, (_, index) => String(Number(range[1]) + index))
    : cuts.map((cut, index) => pattern.slice(cut + 1, cuts[index + 1] ?? close));
  return choices.flatMap(expand).flatMap((choice) => expand(after).map((rest) => before + choice + rest));
}

test('patterns lose no name and add none', (t) => {
  const part = fc.constantFrom('a', 'b', 'conv1', 'conv2', 'conv3', '0', '1', '2', '3', '10', '01', 'weight');
  const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 40 }), (names) => {
      t.deepEqual(namePatterns(names).flatMap(expand).sort(), [...names].sort());
    }),
  );
});

test('a name of a million parts is told like any other', (t) => {
  const long = Array(1_000_000).fill('a').join('.');
  t.deepEqual(namePatterns([long, 'b']).flatMap(expand), [long, 'b']);
});

test('a regular network comes to a few patterns', async (t) => {
  const names = (await wanted()).tensors.map(({ name }) => name);
  t.is(names.length, 102);
  t.true(namePatterns(names).length <= 12);
  t.deepEqual(namePatterns(['l.0.w', 'l.1.w', 'l.2.w', 'l.0.b', 'l.1.b', 'l.2.b', 'fc.w']), ['l.{0..2}.{w,b}', 'fc.w']);
});

test('float16, bfloat16 and float32 are taken exactly, float64 is rounded to the nearest', async (t) => {
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x8000, 0x7bff, 0x3555);
  t.deepEqual(
    await toFloat32('F16', new Uint8Array(halves.buffer)),
    Float32Array.of(1, -2, 2 ** -24, -0, 65504, (1024 + 0x155) * 2 ** (0xd - 25)),
  );
  const brains = Uint16Array.of(0x3f80, 0xc049, 0x0001);
  t.deepEqual(await toFloat32('BF16', new Uint8Array(brains.buffer)), Float32Array.of(1, -3.140625, 2 ** -133));
  const doubles = Float64Array.of(1 / 3, -1e-60, 3e38);
  t.deepEqual(await toFloat32('F64', new Uint8Array(doubles.buffer)), Float32Array.from(doubles));
  const odd = new Uint8Array(13);
  odd.set(new Uint8Array(doubles.buffer, 0, 8), 5);
  t.deepEqual(await toFloat32('F64', odd.subarray(5)), Float32Array.of(1 / 3), 'from any place in memory');
  const many = new Float32Array(600_000).map((_, index) => index);
  t.deepEqual(await toFloat32('F32', new Uint8Array(many.buffer)), many, 'longer than a slice');
});

for (const [dtype, bytes] of [
  ['F32', new Uint8Array(Float32Array.of(0, Number.NaN).buffer)],
  ['F16', new Uint8Array(Uint16Array.of(0x7c00).buffer)],
  ['BF16', new Uint8Array(Uint16Array.of(0xff80).buffer)],
  ['F64', new Uint8Array(Float64Array.of(1e39).buffer)],
] as const) {
  test(`${dtype}: values that are no finite float32 are found`, async (t) => {
    t.is(await toFloat32(dtype, bytes), null);
  });
}

test('weights fit by name and shape, whatever wraps the names and whichever float type they have', async (t) => {
  const network = await wanted();
  const weights = constantWeights(network.tensors, 0.5);
  const asHalf = weights.map((tensor) => ({
    ...tensor,
    dtype: 'F16',
    data: new Uint8Array(new Uint16Array(tensor.data.length / 4).fill(0x3800).buffer),
  }));
  const wrapped = ['module.', '_orig_mod.', 'model.', 'module._orig_mod.', 'model.module._orig_mod.'].map((wrapping) =>
    weights.map((tensor) => ({ ...tensor, name: wrapping + tensor.name })),
  );
  for (const tensors of [weights, asHalf, ...wrapped]) {
    const file = await readWeights(tensorFile(tensors), 'x');
    const { tensors: loaded, fit } = await loadWeights(network, file, 'x');
    t.is(fit.naming, '');
    t.deepEqual(
      loaded.map(({ name, shape }) => [name, shape]),
      network.tensors.map(({ name, shape }) => [name, shape]),
    );
    t.true(loaded.every(({ data }) => data.every((value) => value === 0.5)));
  }
});

test('a name that is wrapped without end is a name that the network does not have', async (t) => {
  const network = await wanted();
  const endless = constant(`${'module.'.repeat(100_000)}fc.bias`, [1000]);
  t.is((await fitOf(network, [endless])).extra.length, 1);
  t.is(
    (await fitOf(network, [constant('module.fc.bias', [1000]), constant('fc.weight', [1000, 512])])).extra.length,
    1,
    'not all are wrapped',
  );
});

test('counts and optimiser state are left out', async (t) => {
  const network = await wanted();
  const more = [
    { name: 'bn1.num_batches_tracked', dtype: 'I64', shape: [], data: new Uint8Array(8) },
    { name: 'n_averaged', dtype: 'I64', shape: [], data: new Uint8Array(8) },
    constant('momentum/conv1.weight', [64, 3, 7, 7]),
  ];
  const fit = await fitOf(network, [...more, ...constantWeights(network.tensors)]);
  t.is(misfitRefusal(fit, 'resnet18', 'x'), null);
});

test('a last layer of another number of classes is no misfit', async (t) => {
  const network = await wanted();
  const body = constantWeights(network.tensors).filter(({ name }) => !name.startsWith('fc.'));
  const file = await readWeights(tensorFile([...body, constant('fc.weight', [37, 512], 1), constant('fc.bias', [37], 2)]), 'x');
  const { fit, tensors, head } = await loadWeights(network, file, 'x');
  t.is(tensors.length, 100);
  t.deepEqual(
    head.map(({ name, shape }) => [name, shape]),
    [
      ['fc.weight', [37, 512]],
      ['fc.bias', [37]],
    ],
  );
  t.deepEqual([fit.fileClassCount, fit.classCount], [37, 1000]);
});

test('a last layer that does not agree with itself is one', async (t) => {
  const network = await wanted();
  const body = constantWeights(network.tensors).filter(({ name }) => !name.startsWith('fc.'));
  for (const head of [
    [constant('fc.weight', [37, 512]), constant('fc.bias', [38])],
    [constant('fc.weight', [37, 100]), constant('fc.bias', [37])],
  ]) {
    t.not(misfitRefusal(await fitOf(network, [...body, ...head]), 'resnet18', 'x'), null);
  }
});

test('every tensor that is missing, superfluous or misshapen is named', async (t) => {
  const network = await wanted();
  const bodies = constantWeights(network.tensors);
  const tensors = [
    ...bodies.filter(({ name }) => !name.startsWith('layer4.') && name !== 'conv1.weight' && name !== 'bn1.bias'),
    constant('conv1.weight', [64, 3, 3, 3]),
    { ...constant('bn1.bias', [64]), dtype: 'I32' },
    ...Array.from({ length: 300 }, (_, index) => constant(`blocks.${index}.gamma`, [1])),
  ];
  const { reason, number, metadata, message } = misfitRefusal(await fitOf(network, tensors), 'resnet18', 'wrong.safetensors') ?? t.fail();
  t.is(reason, 'WEIGHTS_DO_NOT_FIT');
  t.is(number, 7703);
  const names = (key: string) => (metadata[key] ?? '').split('\n').flatMap(expand).sort();
  t.deepEqual(
    names('missing'),
    bodies
      .map(({ name }) => name)
      .filter((name) => name.startsWith('layer4.'))
      .sort(),
  );
  t.deepEqual(names('extra'), Array.from({ length: 300 }, (_, index) => `blocks.${index}.gamma`).sort());
  t.deepEqual(names('misshapen'), ['bn1.bias: 64 of type I32 instead of 64', 'conv1.weight: 64x3x3x3 instead of 64x3x7x7']);
  t.regex(
    message,
    /^"wrong.safetensors" does not hold the weights of resnet18: 25 tensors are missing: layer4.*; 2 tensors have another shape/,
  );
});

test('names without end are told up to a bound, with the number of those left out', async (t) => {
  const network = await wanted();
  const tensors = Array.from({ length: 5000 }, (_, index) => constant(`${(index * 7919).toString(36)}x.${'y'.repeat(index % 50)}`, [1]));
  const { metadata } = misfitRefusal(await fitOf(network, tensors), 'resnet18', 'x') ?? t.fail();
  const bytes = ['missing', 'extra', 'misshapen'].reduce((sum, key) => sum + Buffer.byteLength(metadata[key] ?? ''), 0);
  t.true(bytes < 4500, `${bytes}`);
  t.regex(metadata.extra ?? '', /\nand \d+ patterns more$/);
});

const entry = (name: string, begin: number, end: number) =>
  `"${name}":{"dtype":"F32","shape":[${(end - begin) / 4}],"data_offsets":[${begin},${end}]}`;

for (const [what, bytes, problem] of [
  ['an empty file', Buffer.alloc(0), /0 bytes only/],
  ['a header longer than the file', withHeader('{}', new Uint8Array(), 1000n), /claims 1000 bytes/],
  ['a header of 2^63 bytes', withHeader('{}', new Uint8Array(), 2n ** 63n), /claims 9223372036854775808 bytes/],
  ['a header far longer than weights have', withHeader(`{${' '.repeat(9 * 2 ** 20)}}`), /weights have \d+ at most/],
  ['a header that is no JSON', withHeader('{"a":'), /not JSON/],
  ['a header that is nested without end', withHeader('['.repeat(1_000_000)), /not JSON/],
  ['a header that is a list', withHeader('[]'), /not a JSON object/],
  ['overlapping tensors', withHeader(`{${entry('a', 0, 8)},${entry('b', 4, 12)}}`, new Uint8Array(12)), /begins at 4, not at 8/],
  ['a hole between tensors', withHeader(`{${entry('a', 0, 4)},${entry('b', 8, 12)}}`, new Uint8Array(12)), /begins at 8, not at 4/],
  ['data that were cut off', withHeader(`{${entry('a', 0, 8)}}`, new Uint8Array(7)), /tensors have 8 bytes, the file has 7/],
  ['data that no tensor has', withHeader(`{${entry('a', 0, 8)}}`, new Uint8Array(9)), /tensors have 8 bytes, the file has 9/],
  [
    'a shape beyond all numbers',
    withHeader('{"a":{"dtype":"F32","shape":[9007199254740991,9007199254740991],"data_offsets":[0,4]}}', new Uint8Array(4)),
    /need/,
  ],
  ['a negative size', withHeader('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', new Uint8Array(4)), /no shape/],
  ['an unknown type', withHeader('{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}', new Uint8Array(4)), /unknown type "F99"/],
] as const) {
  test(`refused: ${what}`, async (t) => {
    const refusal = await refusalOf(() => readWeights(bytes, 'hostile.safetensors'));
    t.is(refusal.reason, 'FILE_NOT_OURS');
    t.is(refusal.metadata.file_name, 'hostile.safetensors');
    t.regex(refusal.metadata.problem ?? '', problem);
  });
}

for (const [what, name, bytes, problem, remedy] of [
  ["HALCON's file, by its ending", 'pretrained_dl_classifier_resnet50.hdl', 'closed', /closed format/, /dlc import FILE.safetensors --as/],
  ["HALCON's file, by its beginning", 'renamed.safetensors', '\0\0\0\0\0\0\0\0HALCON DL model', /closed format/, /dlc import/],
  ["PyTorch's archive", 'resnet50.bin', 'PK\x03\x04 and what follows', /PyTorch's own format/, /save_file\(torch.load/],
  ["PyTorch's pickle", 'resnet50-19c8e357.pth', '\x80\x02 and what follows', /PyTorch's own format/, /weights_only=True/],
] as const) {
  test(`recognised and refused: ${what}`, async (t) => {
    const refusal = await refusalOf(() => readWeights(Buffer.from(bytes, 'latin1'), name));
    t.is(refusal.reason, 'FILE_NOT_OURS');
    t.regex(refusal.metadata.problem ?? '', problem);
    t.regex(refusal.metadata.remedy ?? '', remedy);
  });
}

test('whatever the bytes are, they are weights or refused', async (t) => {
  const good = tensorFile([constant('a.weight', [2, 3]), constant('a.bias', [2])]);
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), async (position, value, end) => {
      const bytes = Buffer.from(good.subarray(0, end));
      if (position < bytes.length) bytes[position] = value;
      try {
        await readWeights(bytes, 'x');
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    }),
  );
  t.pass();
});

test('names that timm does not have are not translated', (t) => {
  for (const name of ['blocks.7.0.bn1.weight', 'blocks.1.2.bn1.weight', 'blocks.0.0.conv_pwl.weight', 'constructor.weight', 'a.b.c', 'x']) {
    t.is(fromTimmMobilenetV2(name), null, name);
  }
});
