import test from 'ava';
import { engineBinding, type Layer, type NetworkGraph } from '../native/index.js';
import { makeEngine, refusal } from './support/engine.js';
import { SMALL_INPUT, smallGraph } from './support/graphs.js';

const engine = makeEngine();
test.after.always(() => engine.close());

const construct = (graph: unknown) => () => new (engineBinding().Model)(engine, graph as NetworkGraph, SMALL_INPUT, 1n);

const window = { kernel: [2, 2], stride: [2, 2], padding: [0, 0], ceilMode: false } as const;

/** One layer of every kind, each complete. */
const LAYERS: readonly Layer[] = [
  { kind: 'input', name: 'input', scale: [1, 1, 1], shift: [0, 0, 0] },
  {
    kind: 'convolution',
    name: 'conv',
    input: 'input',
    outChannels: 4,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    groups: 1,
    bias: true,
  },
  { kind: 'batch_norm', name: 'bn', input: 'conv', epsilon: 1e-5, momentum: 0.1 },
  { kind: 'relu', name: 'relu', input: 'bn', max: 6 },
  { kind: 'add', name: 'add', inputs: ['relu', 'conv'] },
  { kind: 'concat', name: 'concat', inputs: ['add', 'relu'] },
  { kind: 'max_pool', name: 'max_pool', input: 'concat', ...window },
  { kind: 'average_pool', name: 'average_pool', input: 'max_pool', ...window, countIncludePad: true },
  { kind: 'dropout', name: 'dropout', input: 'average_pool', probability: 0.5 },
  { kind: 'global_average_pool', name: 'global_pool', input: 'dropout' },
  { kind: 'fully_connected', name: 'fc', input: 'global_pool', outFeatures: 3, bias: true },
  { kind: 'softmax', name: 'softmax', input: 'fc' },
];

test('a graph with a layer of every kind is taken', async (t) => {
  const model = construct({ layers: LAYERS })();
  t.deepEqual(
    model.layers.map(({ name, kind }) => ({ name, kind })),
    LAYERS.map(({ name, kind }) => ({ name, kind })),
  );
  t.deepEqual(model.layers[5], { name: 'concat', kind: 'concat', inputs: ['add', 'relu'], outputShape: [8, 8, 8], parameterCount: 0 });
  t.deepEqual(model.layers[1]?.parameterCount, 4 * 3 * 9 + 4);
  await model.close();
});

/** The refusal of the graph in which `layer` has another value in one field, where it must name the layer; null where all is as it must be. */
async function fault(layer: Layer, field: string, value: unknown): Promise<string | null> {
  const index = LAYERS.indexOf(layer);
  const label = field === 'name' ? `#${index}` : layer.name;
  const { reason, metadata, message } = await refusal(construct({ layers: LAYERS.with(index, { ...layer, [field]: value } as Layer) }));
  const right = reason === 'INVALID_GRAPH' && metadata.layer === label && message.includes(field);
  return right ? null : `${field}: ${reason} ${metadata.layer} ${message}`;
}

for (const layer of LAYERS) {
  test(`${layer.kind} without one of its fields is refused, naming the layer`, async (t) => {
    for (const field of Object.keys(layer)) t.is(await fault(layer, field, undefined), null);
  });

  test(`${layer.kind} with a field of the wrong type is refused, naming the layer`, async (t) => {
    for (const field of Object.keys(layer)) {
      for (const wrong of [Symbol('wrong'), {}, [{}]]) t.is(await fault(layer, field, wrong), null);
    }
  });
}

test('numbers that are no numbers of layers are refused', async (t) => {
  const withConvolution = (fields: object) => ({ layers: LAYERS.map((l) => (l.kind === 'convolution' ? { ...l, ...fields } : l)) });
  for (const fields of [
    { outChannels: 0 },
    { outChannels: 1.5 },
    { outChannels: Number.NaN },
    { outChannels: 2 ** 40 },
    { kernel: [3] },
    { kernel: [3, 3, 3] },
    { kernel: [0, 3] },
    { stride: [1, -1] },
    { padding: [-1, 0] },
  ]) {
    const error = await refusal(construct(withConvolution(fields)));
    t.is(error.reason, 'INVALID_GRAPH');
    t.is(error.metadata.layer, 'conv');
  }
});

test('what is no graph is refused', async (t) => {
  for (const graph of [null, undefined, 7, {}, { layers: null }, { layers: {} }, { layers: [] }, { layers: [null] }, { layers: [7] }]) {
    t.is((await refusal(construct(graph))).reason, 'INVALID_GRAPH');
  }
});

test('layers that do not fit together are refused when the model is made', async (t) => {
  const { layers } = smallGraph();
  const error = await refusal(construct({ layers: layers.map((l) => (l.name === 'relu1' ? { ...l, input: 'nowhere' } : l)) }));
  t.is(error.reason, 'INVALID_GRAPH');
  t.is(error.metadata.layer, 'relu1');
});

test('an exception of a getter passes through as it is', (t) => {
  const graph = {
    get layers(): never {
      throw new RangeError('mine');
    },
  };
  t.throws(construct(graph), { instanceOf: RangeError, message: 'mine' });
});
