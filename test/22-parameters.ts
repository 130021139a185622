import test from 'ava';
import { engineBinding } from '../native/index.js';
import { gpuRefusal } from '../server/devices/gpu_refusal.js';
import type { Reason } from '../server/errors/catalogue.js';
import { Refusal } from '../server/errors/refusal.js';
import { compact } from '../server/networks/compact.js';
import type { NetworkDefinition } from '../server/networks/definition.js';
import { resnet18 } from '../server/networks/resnet18.js';
import { access } from '../server/parameters/definition.js';
import { type DeviceChoice, processorsAlone } from '../server/parameters/device_choice.js';
import { matchesGlob } from '../server/parameters/glob.js';
import { type Assignment, draftSettings, parameters, readParameters } from '../server/parameters/registry.js';
import { defaultSettings, type Settings } from '../server/parameters/settings.js';
import type { Value } from '../server/parameters/value.js';

const [GPU] = engineBinding().gpus();
const DEVICES: DeviceChoice = {
  ...processorsAlone(['float32', 'bfloat16']),
  refusal: ({ runtime }) => (runtime === 'gpu' && GPU?.problem ? gpuRefusal(GPU.problem) : null),
};

interface Situation {
  readonly network?: NetworkDefinition;
  readonly settings?: Partial<Settings>;
}

function set(assignments: readonly Assignment[], { network = compact, settings = {} }: Situation = {}) {
  return draftSettings({ ...defaultSettings(network), ...settings }, assignments, { network, devices: DEVICES });
}

function setOne(name: string, ...values: Value[]) {
  return set([{ name, values }]);
}

function refusalOf(action: () => unknown): Refusal {
  try {
    action();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

function get(settings: Settings, name: string): readonly Value[] {
  const [parameter] = readParameters({ settings, network: compact, step: 12, parameterCount: 345 }, [name]);
  return parameter?.values ?? [];
}

/** What a set of a parameter gives to a get. */
const KEPT: readonly [name: string, values: readonly Value[]][] = [
  ['batch_size', [7n]],
  ['batch_size_multiplier', [3n]],
  ['classes', ['b', 'a', '__proto__', 'ä 日本']],
  ['learning_rate', [1e-5]],
  ['momentum', [0]],
  ['weight_prior', [0.0005]],
  ['solver_type', ['adam']],
  ['weight_decay', [0.01]],
  ['adam_beta1', [0]],
  ['adam_beta2', [0.99]],
  ['adam_epsilon', [1e-15]],
  ['max_gradient_norm', [5.5]],
  ['batch_norm_momentum', [1]],
  ['freeze', ['block1.*', 'block?.bn']],
  ['image_width', [15n]],
  ['image_height', [1000n]],
  ['image_num_channels', [1n]],
  ['image_dimensions', [64n, 32n, 1n]],
  ['precision', ['bfloat16']],
  ['deterministic', [true]],
  ['meta_data', [new Map([['author', 'me']])]],
  ['gpu', [0n]],
  ['runtime', ['cpu']],
];

for (const [name, values] of KEPT) {
  test(`${name} is what it was set to`, (t) => t.deepEqual(get(set([{ name, values }]), name), values));
}

test('every parameter that can be set is set by a test', (t) => {
  const settable = parameters.filter(({ set: setter }) => setter !== null).map(({ name }) => name);
  t.deepEqual(settable.sort(), [...KEPT.map(([name]) => name), 'class_weights', 'runtime_init'].sort());
});

test('runtime_init asks for the memory at once', (t) => {
  t.true(setOne('runtime_init', 'immediately').initializeRuntime);
  t.false(setOne('gpu', 0n).initializeRuntime);
});

test('a real number may be given as an integer', (t) => t.is(setOne('learning_rate', 1n).learningRate, 1));

test('image_dimensions and the three alone are the same', (t) => {
  const together = setOne('image_dimensions', 40n, 50n, 1n);
  const alone = set([
    { name: 'image_width', values: [40n] },
    { name: 'image_height', values: [50n] },
    { name: 'image_num_channels', values: [1n] },
  ]);
  t.deepEqual(together, alone);
});

test('the defaults are those of the operator family and of the network', (t) => {
  const view = { settings: defaultSettings(resnet18), network: resnet18, step: 0, parameterCount: 11_689_512 };
  t.deepEqual(Object.fromEntries(readParameters(view, []).map(({ name, values }) => [name, values])), {
    classes: [],
    class_weights: [],
    batch_size: [24n],
    batch_size_multiplier: [1n],
    learning_rate: [0.001],
    momentum: [0.9],
    weight_prior: [0.0001],
    solver_type: ['sgd'],
    weight_decay: [0],
    adam_beta1: [0.9],
    adam_beta2: [0.999],
    adam_epsilon: [1e-8],
    max_gradient_norm: [0],
    batch_norm_momentum: [0.1],
    freeze: [],
    image_width: [224n],
    image_height: [224n],
    image_num_channels: [3n],
    image_dimensions: [224n, 224n, 3n],
    image_range_min: [-127],
    image_range_max: [128],
    runtime: ['cpu'],
    gpu: [0n],
    precision: ['float32'],
    deterministic: [false],
    type: ['resnet18'],
    num_trainable_params: [11_689_512n],
    step: [0n],
    meta_data: [new Map()],
  });
});

test('one refusal refuses all, and the settings stay', (t) => {
  const settings = defaultSettings(compact);
  const before = structuredClone(settings);
  const assignments = [
    { name: 'batch_size', values: [3n] },
    { name: 'momentum', values: [1] },
  ];
  t.is(refusalOf(() => draftSettings(settings, assignments, { network: compact, devices: DEVICES })).reason, 'WRONG_VALUE');
  t.deepEqual(settings, before);
});

test('a parameter that one call names twice is refused', (t) => {
  const twice = [
    { name: 'momentum', values: [0.5] },
    { name: 'momentum', values: [0.6] },
  ];
  t.deepEqual(refusalOf(() => set(twice)).metadata, { field: 'params', problem: 'momentum is named twice; name it once' });
});

const REFUSED: readonly [name: string, values: readonly Value[], reason: Reason, metadata: Record<string, string>][] = [
  ['batch_size', [0n], 'WRONG_VALUE', { name: 'batch_size', got: '0', wanted: 'an integer from 1 to 2147483647' }],
  ['batch_size', [-1n], 'WRONG_VALUE', { name: 'batch_size', got: '-1', wanted: 'an integer from 1 to 2147483647' }],
  ['batch_size', [2n ** 31n], 'WRONG_VALUE', { name: 'batch_size', got: '2147483648', wanted: 'an integer from 1 to 2147483647' }],
  [
    'batch_size_multiplier',
    [2n ** 31n],
    'WRONG_VALUE',
    { name: 'batch_size_multiplier', got: '2147483648', wanted: 'an integer from 1 to 2147483647' },
  ],
  ['batch_size', [1.5], 'WRONG_TYPE', { name: 'batch_size', got: 'a real number', wanted: 'an integer' }],
  ['batch_size', [1], 'WRONG_TYPE', { name: 'batch_size', got: 'a real number', wanted: 'an integer' }],
  ['batch_size', [], 'WRONG_VALUE_COUNT', { name: 'batch_size', got: '0', wanted: '1' }],
  ['batch_size', [1n, 2n], 'WRONG_VALUE_COUNT', { name: 'batch_size', got: '2', wanted: '1' }],
  ['batch_size_multiplier', [0n], 'INVALID_BATCH_SIZE_MULTIPLIER', { got: '0' }],
  ['batch_size_multiplier', [-3n], 'INVALID_BATCH_SIZE_MULTIPLIER', { got: '-3' }],
  ['classes', [], 'WRONG_VALUE_COUNT', { name: 'classes', got: '0', wanted: 'at least 1' }],
  ['classes', ['a', 'b', 'a'], 'DUPLICATE_CLASSES', { class: 'a', first_index: '0', second_index: '2' }],
  ['classes', ['a', 1n], 'WRONG_TYPE', { name: 'classes', got: 'an integer', wanted: 'a string' }],
  ['classes', [''], 'WRONG_VALUE', { name: 'classes', got: '', wanted: 'names that are not empty' }],
  ['learning_rate', [0], 'WRONG_VALUE', { name: 'learning_rate', got: '0', wanted: 'a finite number > 0' }],
  ['learning_rate', [Number.NaN], 'WRONG_VALUE', { name: 'learning_rate', got: 'NaN', wanted: 'a finite number > 0' }],
  ['learning_rate', [Number.POSITIVE_INFINITY], 'WRONG_VALUE', { name: 'learning_rate', got: 'Infinity', wanted: 'a finite number > 0' }],
  ['learning_rate', ['0.1'], 'WRONG_TYPE', { name: 'learning_rate', got: 'a string', wanted: 'a real number' }],
  ['momentum', [1n], 'WRONG_VALUE', { name: 'momentum', got: '1', wanted: 'a number in [0, 1)' }],
  ['momentum', [-0.1], 'WRONG_VALUE', { name: 'momentum', got: '-0.1', wanted: 'a number in [0, 1)' }],
  ['weight_prior', [-1e-9], 'WRONG_VALUE', { name: 'weight_prior', got: '-1e-9', wanted: 'a finite number >= 0' }],
  ['solver_type', ['rmsprop'], 'WRONG_VALUE', { name: 'solver_type', got: 'rmsprop', wanted: "'sgd' or 'adam'" }],
  ['solver_type', [], 'WRONG_VALUE_COUNT', { name: 'solver_type', got: '0', wanted: '1' }],
  ['solver_type', [1n], 'WRONG_TYPE', { name: 'solver_type', got: 'an integer', wanted: 'a string' }],
  ['weight_decay', [-0.1], 'WRONG_VALUE', { name: 'weight_decay', got: '-0.1', wanted: 'a finite number >= 0' }],
  ['adam_beta1', [1], 'WRONG_VALUE', { name: 'adam_beta1', got: '1', wanted: 'a number in [0, 1)' }],
  ['adam_beta2', [Number.NaN], 'WRONG_VALUE', { name: 'adam_beta2', got: 'NaN', wanted: 'a number in [0, 1)' }],
  ['adam_epsilon', [0], 'WRONG_VALUE', { name: 'adam_epsilon', got: '0', wanted: 'a finite number >= 1e-15' }],
  ['max_gradient_norm', [-1n], 'WRONG_VALUE', { name: 'max_gradient_norm', got: '-1', wanted: 'a finite number >= 0' }],
  [
    'max_gradient_norm',
    [Number.POSITIVE_INFINITY],
    'WRONG_VALUE',
    { name: 'max_gradient_norm', got: 'Infinity', wanted: 'a finite number >= 0' },
  ],
  ['max_gradient_norm', [1, 2], 'WRONG_VALUE_COUNT', { name: 'max_gradient_norm', got: '2', wanted: '1' }],
  ['batch_norm_momentum', [0], 'WRONG_VALUE', { name: 'batch_norm_momentum', got: '0', wanted: 'a number in (0, 1]' }],
  ['batch_norm_momentum', [1.1], 'WRONG_VALUE', { name: 'batch_norm_momentum', got: '1.1', wanted: 'a number in (0, 1]' }],
  ['batch_norm_momentum', ['0.1'], 'WRONG_TYPE', { name: 'batch_norm_momentum', got: 'a string', wanted: 'a real number' }],
  ['class_weights', [1], 'WRONG_VALUE_COUNT', { name: 'class_weights', got: '1', wanted: '0, as long as the classes are not set' }],
  ['class_weights', ['a'], 'WRONG_TYPE', { name: 'class_weights', got: 'a string', wanted: 'a real number' }],
  ['class_weights', [0, 0], 'WRONG_VALUE', { name: 'class_weights', got: 'only 0', wanted: 'at least one weight above 0' }],
  ['freeze', [1n], 'WRONG_TYPE', { name: 'freeze', got: 'an integer', wanted: 'a string' }],
  ['image_width', [14n], 'IMAGE_SIZE_TOO_SMALL', { name: 'image_width', got: '14', minimum: '15' }],
  ['image_height', [-5n], 'IMAGE_SIZE_TOO_SMALL', { name: 'image_height', got: '-5', minimum: '15' }],
  ['image_height', [32_769n], 'WRONG_VALUE', { name: 'image_height', got: '32769', wanted: 'at most 32768' }],
  ['image_num_channels', [2n], 'UNSUPPORTED_CHANNELS', { got: '2' }],
  ['image_dimensions', [64n, 64n], 'WRONG_VALUE_COUNT', { name: 'image_dimensions', got: '2', wanted: '3' }],
  ['image_dimensions', [64n, 14n, 3n], 'IMAGE_SIZE_TOO_SMALL', { name: 'image_height', got: '14', minimum: '15' }],
  ['image_dimensions', [64n, 64n, 4n], 'UNSUPPORTED_CHANNELS', { got: '4' }],
  ['gpu', [1n], 'WRONG_VALUE', { name: 'gpu', got: '1', wanted: '0' }],
  ['runtime', ['tpu'], 'WRONG_VALUE', { name: 'runtime', got: 'tpu', wanted: "'cpu' or 'gpu'" }],
  ['runtime_init', ['later'], 'WRONG_VALUE', { name: 'runtime_init', got: 'later', wanted: "'immediately'" }],
  ['precision', ['tf32'], 'WRONG_VALUE', { name: 'precision', got: 'tf32', wanted: 'float32 or bfloat16' }],
  ['deterministic', [1n], 'WRONG_TYPE', { name: 'deterministic', got: 'an integer', wanted: 'a truth value' }],
  ['meta_data', ['x'], 'WRONG_TYPE', { name: 'meta_data', got: 'a string', wanted: 'a string map' }],
];

for (const [name, values, reason, metadata] of REFUSED) {
  test(`${name} = [${values.map((value) => `${typeof value} ${String(value)}`).join(', ')}] is refused with ${reason}`, (t) => {
    const refusal = refusalOf(() => setOne(name, ...values));
    t.is(refusal.reason, reason);
    t.deepEqual(refusal.metadata, metadata);
  });
}

const COMPACT_LAYERS = [
  ...Array.from({ length: 8 }, (_, index) => [`block${index + 1}.conv`, `block${index + 1}.bn`]).flat(),
  'classifier',
];

test('freeze stands for the layers with weights that its patterns match, in the order of the network', (t) => {
  const layersOf = (...patterns: string[]) => setOne('freeze', ...patterns).freeze.layers;
  t.deepEqual(layersOf(), []);
  t.deepEqual(layersOf('classifier', 'block2.bn'), ['block2.bn', 'classifier']);
  t.deepEqual(layersOf('block1.*'), ['block1.conv', 'block1.bn']);
  t.deepEqual(
    layersOf('*.bn', 'block1.*'),
    COMPACT_LAYERS.filter((name) => name.endsWith('.bn') || name.startsWith('block1.')),
  );
  t.deepEqual(layersOf('block*'), COMPACT_LAYERS.slice(0, -1));
  const { freeze } = set([{ name: 'freeze', values: ['layer1.*', 'conv1', 'bn1'] }], { network: resnet18 });
  t.is(freeze.layers.length, 2 + 8);
});

for (const [pattern, what] of [
  ['block9.*', 'a pattern that matches no layer'],
  ['block1.relu', 'a pattern that matches only a layer without weights'],
  ['block1', 'a beginning without a star'],
  ['', 'an empty pattern'],
] as const) {
  test(`${what} is refused with the names that there are`, (t) => {
    const refusal = refusalOf(() => setOne('freeze', 'block1.*', pattern));
    t.is(refusal.number, 1303);
    t.is(refusal.metadata.got, pattern);
    t.is(refusal.metadata.wanted, `a pattern that matches a layer with weights: ${COMPACT_LAYERS.join(', ')}`);
  });
}

test('patterns that leave nothing to train are refused', (t) => {
  for (const patterns of [['*'], ['block*', 'classifier']]) {
    const refusal = refusalOf(() => setOne('freeze', ...patterns));
    t.is(refusal.number, 1303);
    t.regex(refusal.metadata.wanted ?? '', /^patterns that leave a layer to train, of block1\.conv, /);
  }
});

test('a glob is matched as a whole, in time in proportion to its length', (t) => {
  const matches: readonly [pattern: string, name: string, expected: boolean][] = [
    ['*', '', true],
    ['', '', true],
    ['?', '', false],
    ['', 'a', false],
    ['a', 'ab', false],
    ['b', 'ab', false],
    ['a*', 'a', true],
    ['*a', 'ba', true],
    ['*a', 'ab', false],
    ['a**b', 'ab', true],
    ['a*b*c', 'a.b.b.c', true],
    ['a*bc', 'abcbc', true],
    ['a?c', 'a.c', true],
    ['a?c', 'ac', false],
    ['?*', 'a', true],
    ['a.b', 'axb', false],
    ['(a|b)+', 'a', false],
    ['[ab]', 'a', false],
  ];
  for (const [pattern, name, expected] of matches) t.is(matchesGlob(pattern, name), expected, `${pattern} and ${name}`);
  // 2^500 ways to divide the name among the stars.
  t.false(matchesGlob(`${'*a'.repeat(500)}b`, 'a'.repeat(1000)));
});

const weighted = { settings: { classes: ['a', 'b', 'c'], classWeights: [1, 2, 0] } };

test('class weights come one for each class, or none', (t) => {
  const weigh = (...values: number[]) => set([{ name: 'class_weights', values }], weighted).classWeights;
  t.deepEqual(weigh(0.5, 0, 3), [0.5, 0, 3]);
  t.deepEqual(weigh(), []);
  for (const wrong of [[1], [1, 2], [1, 2, 3, 4]]) {
    const refusal = refusalOf(() => weigh(...wrong));
    t.is(refusal.number, 1403);
    t.deepEqual(refusal.metadata, { name: 'class_weights', got: String(wrong.length), wanted: '0 or 3, one for each class' });
  }
  t.is(refusalOf(() => weigh(1, -1, 1)).number, 1303);
});

test('other classes forget the weights, unless the same call sets both, in either order', (t) => {
  const classes = { name: 'classes', values: ['a', 'b'] };
  const weights = { name: 'class_weights', values: [3, 4] };
  t.deepEqual(set([classes], weighted).classWeights, []);
  t.deepEqual(set([{ name: 'classes', values: ['a', 'b', 'c'] }], weighted).classWeights, [1, 2, 0]);
  t.deepEqual(set([classes, weights], weighted).classWeights, [3, 4]);
  t.deepEqual(set([weights, classes], weighted).classWeights, [3, 4]);
  t.deepEqual(set([{ name: 'momentum', values: [0] }], weighted).classWeights, [1, 2, 0]);
  t.is(refusalOf(() => set([weights], weighted)).number, 1403);
});

test("runtime 'gpu' says that there is none and what to do", (t) => {
  const refusal = refusalOf(() => setOne('runtime', 'gpu'));
  t.is(refusal.number, 4204);
  t.regex(refusal.message, /the CUDA backend has not been built|no NVIDIA driver|lists no GPU/);
  t.regex(refusal.message, /leave runtime at 'cpu'/);
});

test('from 1 channel back to 3 is refused, 1 to 1 is not', (t) => {
  const situation = { settings: { imageChannels: 1 } } as const;
  t.is(refusalOf(() => set([{ name: 'image_num_channels', values: [3n] }], situation)).number, 7725);
  t.is(refusalOf(() => set([{ name: 'image_dimensions', values: [64n, 64n, 3n] }], situation)).number, 7725);
  t.is(set([{ name: 'image_num_channels', values: [1n] }], situation).imageChannels, 1);
});

test('a network whose size cannot change takes no other size', (t) => {
  const rigid: NetworkDefinition = { ...compact, name: 'rigid', resizable: false };
  const refusal = refusalOf(() => set([{ name: 'image_width', values: [100n] }], { network: rigid }));
  t.is(refusal.number, 7775);
  t.deepEqual(refusal.metadata, { network: 'rigid' });
  t.is(set([{ name: 'image_width', values: [224n] }], { network: rigid }).imageWidth, 224);
});

test("the minimum size is the network's", (t) => {
  t.is(refusalOf(() => set([{ name: 'image_width', values: [31n] }], { network: resnet18 })).metadata.minimum, '32');
});

test('unknown names are refused with those that there are', (t) => {
  const refusal = refusalOf(() => setOne('learning_rat', 0.1));
  t.is(refusal.number, 7713);
  t.regex(refusal.message, /"learning_rat": there is no such parameter; those to set are classes, class_weights, batch_size, /);
  t.is(refusalOf(() => get(defaultSettings(compact), 'toString')).number, 7713);
});

for (const parameter of parameters.filter(({ set: setter }) => setter === null)) {
  test(`${parameter.name} can be read but not set`, (t) => {
    const refusal = refusalOf(() => setOne(parameter.name, 1n));
    t.is(refusal.reason, 'UNKNOWN_PARAMETER');
    t.deepEqual(refusal.metadata, { name: parameter.name, problem: 'this parameter can be read, but not set' });
  });
}

test('runtime_init can be set but not read', (t) => {
  t.deepEqual(refusalOf(() => get(defaultSettings(compact), 'runtime_init')).metadata, {
    name: 'runtime_init',
    problem: 'this parameter can be set, but not read',
  });
});

test('every parameter is documented', (t) => {
  for (const parameter of parameters) {
    t.regex(parameter.documentation, /^[A-Z'].*\.$/, parameter.name);
    t.is(parameter.range !== '', parameter.set !== null, `${parameter.name} has a range where it can be set`);
    t.regex(access(parameter), /^(get|set|get, set)$/);
  }
});
