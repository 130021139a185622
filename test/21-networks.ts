import test from 'ava';
import type { Layer } from '../native/graph.js';
import { engineBinding, type NetworkGraph } from '../native/index.js';
import { alexnet } from '../server/networks/alexnet.js';
import { compact } from '../server/networks/compact.js';
import type { Channels, NetworkDefinition } from '../server/networks/definition.js';
import { enhanced } from '../server/networks/enhanced.js';
import { networkByName, networks, parseFileName } from '../server/networks/index.js';
import { mobilenetV2 } from '../server/networks/mobilenet_v2.js';
import { resnet18 } from '../server/networks/resnet18.js';
import { resnet50 } from '../server/networks/resnet50.js';
import { makeEngine } from './support/engine.js';

const DEFAULT_SIZE = { width: 224, height: 224 } as const;

const inputsOf = (layer: Layer): readonly string[] => ('inputs' in layer ? layer.inputs : 'input' in layer ? [layer.input] : []);

for (const network of networks) {
  for (const channels of [1, 3] as const) {
    test(`${network.name} with ${channels} channels: every layer reads layers before it, names are unique`, (t) => {
      const { layers } = network.graph({ classes: 7, channels, ...DEFAULT_SIZE });
      const known = new Set<string>();
      for (const layer of layers) {
        t.true(
          inputsOf(layer).every((name) => known.has(name)),
          layer.name,
        );
        t.false(known.has(layer.name), layer.name);
        known.add(layer.name);
      }
      t.is(layers[0]?.kind, 'input');
      t.is(layers.at(-1)?.kind, 'softmax');
      t.true(known.has(network.classLayer));
    });
  }

  test(`${network.name}: the classes change the class layer alone`, (t) => {
    const [few, many] = [2, 1000].map((classes) => network.graph({ classes, channels: 3, ...DEFAULT_SIZE }).layers);
    const changed = few?.filter((layer, index) => JSON.stringify(layer) !== JSON.stringify(many?.[index])).map(({ name }) => name);
    t.deepEqual(changed, [network.classLayer]);
  });
}

test('the defaults are those of the operator family', (t) => {
  const table = networks.map((n) => [n.name, n.minSize, n.defaultSize, n.resizeKeepsWeights, n.defaultBatchSize, n.defaultWeightPrior]);
  t.deepEqual(table, [
    ['alexnet', 29, 224, false, 230, 0.0005],
    ['compact', 15, 224, true, 160, 0],
    ['enhanced', 47, 224, false, 96, 0],
    ['mobilenet_v2', 32, 224, true, 40, 0],
    ['resnet18', 32, 224, true, 24, 0.0001],
    ['resnet50', 32, 224, true, 23, 0.0001],
  ]);
});

const PARAMETER_COUNTS: readonly (readonly [NetworkDefinition, number])[] = [
  [alexnet, 61_100_840],
  [resnet18, 11_689_512],
  [resnet50, 25_557_032],
  [mobilenetV2, 3_504_872],
];

const engine = makeEngine();
test.after.always(() => engine.close());

/** The graph as the engine sees it: shapes and numbers of values. */
function compiled(graph: NetworkGraph, channels: Channels, size: number) {
  const model = new (engineBinding().Model)(engine, graph, { channels, height: size, width: size }, 1n);
  const { layers, parameterCount } = model;
  void model.close();
  return { layers, parameterCount };
}

for (const [network, documented] of PARAMETER_COUNTS) {
  test(`${network.name} has the ${documented} parameters that torchvision documents for 1000 classes`, (t) => {
    const graph = network.graph({ classes: network.defaultClassCount, channels: 3, ...DEFAULT_SIZE });
    t.is(compiled(graph, 3, 224).parameterCount, documented);
  });
}

test("resnet18's input is ((g / 255) - mean) / deviation of torchvision, g = value + 127", (t) => {
  const [input] = resnet18.graph({ classes: 2, channels: 3, ...DEFAULT_SIZE }).layers;
  if (input?.kind !== 'input') return t.fail();
  const [mean, deviation] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ];
  for (const g of [0, 127, 255]) {
    for (const [channel, scale] of input.scale.entries()) {
      const expected = (g / 255 - (mean?.[channel] ?? 0)) / (deviation?.[channel] ?? 0);
      t.true(Math.abs((g - 127) * scale + (input.shift[channel] ?? 0) - expected) < 1e-12);
    }
  }
});

test('for grey images resnet18 takes the mean of the three constants', (t) => {
  const [input] = resnet18.graph({ classes: 2, channels: 1, ...DEFAULT_SIZE }).layers;
  if (input?.kind !== 'input') return t.fail();
  const [scale = 0] = input.scale;
  const [shift = 0] = input.shift;
  t.is(input.scale.length, 1);
  const [mean, deviation] = [(0.485 + 0.456 + 0.406) / 3, (0.229 + 0.224 + 0.225) / 3];
  t.true(Math.abs((200 - 127) * scale + shift - (200 / 255 - mean) / deviation) < 1e-12);
});

/** Multiply-adds for one image. */
function multiplyAdds(network: NetworkDefinition, size: number, channels: Channels): number {
  const graph = network.graph({ classes: 10, channels, width: size, height: size });
  const shapes = new Map(compiled(graph, channels, size).layers.map(({ name, outputShape }) => [name, outputShape]));
  let count = 0;
  for (const layer of graph.layers) {
    const [inChannels = 0, inHeight = 0, inWidth = 0] = ('input' in layer && shapes.get(layer.input)) || [];
    const [outChannels, height, width] = shapes.get(layer.name) ?? [0, 0, 0];
    if (layer.kind === 'convolution') {
      count += outChannels * height * width * (inChannels / layer.groups) * layer.kernel[0] * layer.kernel[1];
    } else if (layer.kind === 'fully_connected') {
      count += outChannels * inChannels * inHeight * inWidth;
    }
  }
  return count;
}

test('compact and enhanced cost what their definitions say', (t) => {
  t.is(Math.round(multiplyAdds(compact, 28, 1) / 1e5), 97);
  t.is(Math.round(multiplyAdds(compact, 224, 3) / 1e8), 6);
  t.is(Math.round(multiplyAdds(enhanced, 224, 3) / 1e8), 9);
  const graph = enhanced.graph({ classes: 10, channels: 3, ...DEFAULT_SIZE });
  t.is(Math.round(compiled(graph, 3, 224).parameterCount / 1e5), 88);
});

test('the others cost what their papers and torchvision say', (t) => {
  t.is((multiplyAdds(resnet50, 224, 3) / 1e9).toFixed(1), '4.1');
  t.is((multiplyAdds(resnet18, 224, 3) / 1e9).toFixed(1), '1.8');
  t.is((multiplyAdds(mobilenetV2, 224, 3) / 1e9).toFixed(1), '0.3');
  t.is((multiplyAdds(alexnet, 224, 3) / 1e9).toFixed(1), '0.7');
});

/** Features (channels, height, width) of alexnet before the fully connected part. */
function alexnetFeatures(width: number, height: number): readonly number[] {
  const graph = alexnet.graph({ classes: 10, channels: 3, width, height });
  const model = new (engineBinding().Model)(engine, graph, { channels: 3, height, width }, 1n);
  const shape = model.layers.find(({ name }) => name === 'features.12')?.outputShape ?? [];
  void model.close();
  return shape;
}

test("alexnet's features are torchvision's from 63 on, and below what is left of them", (t) => {
  t.deepEqual(alexnetFeatures(224, 224), [256, 6, 6]);
  t.deepEqual(alexnetFeatures(300, 200), [256, 5, 8]);
  t.deepEqual(alexnetFeatures(63, 63), [256, 1, 1]);
  t.deepEqual(alexnetFeatures(62, 40), [256, 1, 1]);
  t.deepEqual(alexnetFeatures(29, 29), [256, 1, 1]);
  t.deepEqual(alexnetFeatures(29, 224), [256, 6, 1]);
});

test('the stride of resnet50 sits in the 3 x 3 convolutions (version 1.5)', (t) => {
  const { layers } = resnet50.graph({ classes: 10, channels: 3, ...DEFAULT_SIZE });
  const strided = layers.filter((layer) => layer.kind === 'convolution' && layer.stride[0] === 2).map(({ name }) => name);
  const blocks = [2, 3, 4].flatMap((stage) => [`layer${stage}.0.conv2`, `layer${stage}.0.downsample.0`]);
  t.deepEqual(strided, ['conv1', ...blocks]);
});

test('a network is named plainly or as scripts for HALCON name it', (t) => {
  for (const name of ['compact', 'pretrained_dl_classifier_compact', 'pretrained_dl_classifier_compact.hdl']) {
    t.deepEqual(parseFileName(name), { kind: 'network', network: compact });
  }
  t.deepEqual(parseFileName('pretrained_dl_classifier_resnet18.hdl'), { kind: 'network', network: resnet18 });
});

test('what is named like a network that is not there is no stored classifier', (t) => {
  t.deepEqual(parseFileName('pretrained_dl_classifier_vgg16.hdl'), { kind: 'unknown_network', name: 'vgg16' });
  t.deepEqual(parseFileName('pretrained_dl_classifier_'), { kind: 'unknown_network', name: '' });
});

test('any other name is a stored classifier', (t) => {
  for (const name of ['best', 'compact.hdl', 'compact.safetensors', 'Compact', '']) t.deepEqual(parseFileName(name), { kind: 'stored' });
  t.is(networkByName('Compact'), null);
});
