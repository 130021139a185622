import test from 'ava';
import type { Layer } from '../native/graph.js';
import { compact } from '../server/networks/compact.js';
import type { Channels } from '../server/networks/definition.js';
import { networkByName, networks, parseFileName } from '../server/networks/index.js';
import { resnet18 } from '../server/networks/resnet18.js';

const inputsOf = (layer: Layer): readonly string[] => ('inputs' in layer ? layer.inputs : 'input' in layer ? [layer.input] : []);

for (const network of networks) {
  for (const channels of [1, 3] as const) {
    test(`${network.name} with ${channels} channels: every layer reads layers before it, names are unique`, (t) => {
      const { layers } = network.graph({ classes: 7, channels });
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
    const [few, many] = [2, 1000].map((classes) => network.graph({ classes, channels: 3 }).layers);
    const changed = few?.filter((layer, index) => JSON.stringify(layer) !== JSON.stringify(many?.[index])).map(({ name }) => name);
    t.deepEqual(changed, [network.classLayer]);
  });
}

test('the defaults are those of the operator family', (t) => {
  const table = networks.map((n) => [n.name, n.minSize, n.defaultSize, n.resizeKeepsWeights, n.defaultBatchSize, n.defaultWeightPrior]);
  t.deepEqual(table, [
    ['compact', 15, 224, true, 160, 0],
    ['resnet18', 32, 224, true, 24, 0.0001],
  ]);
});

/** Values of convolutions, batch norms and fully connected layers, from the definitions alone. */
function parameterCount(layers: readonly Layer[]): number {
  const channels = new Map<string, number>();
  let count = 0;
  for (const layer of layers) {
    const inputs = inputsOf(layer).map((name) => channels.get(name) ?? 0);
    let output = inputs[0] ?? 0;
    if (layer.kind === 'input') output = layer.scale.length;
    if (layer.kind === 'convolution') {
      count += layer.outChannels * (output / layer.groups) * layer.kernel[0] * layer.kernel[1] + (layer.bias ? layer.outChannels : 0);
      output = layer.outChannels;
    }
    if (layer.kind === 'batch_norm') count += 2 * output;
    if (layer.kind === 'fully_connected') {
      count += layer.outFeatures * output + (layer.bias ? layer.outFeatures : 0);
      output = layer.outFeatures;
    }
    channels.set(layer.name, output);
  }
  return count;
}

test('resnet18 has the 11,689,512 parameters that torchvision documents', (t) => {
  t.is(parameterCount(resnet18.graph({ classes: 1000, channels: 3 }).layers), 11_689_512);
});

test("resnet18's input is ((g / 255) - mean) / deviation of torchvision, g = value + 127", (t) => {
  const [input] = resnet18.graph({ classes: 2, channels: 3 }).layers;
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
  const [input] = resnet18.graph({ classes: 2, channels: 1 }).layers;
  if (input?.kind !== 'input') return t.fail();
  const [scale = 0] = input.scale;
  const [shift = 0] = input.shift;
  t.is(input.scale.length, 1);
  const [mean, deviation] = [(0.485 + 0.456 + 0.406) / 3, (0.229 + 0.224 + 0.225) / 3];
  t.true(Math.abs((200 - 127) * scale + shift - (200 / 255 - mean) / deviation) < 1e-12);
});

/** Multiply-adds of the convolutions for one image. */
function multiplyAdds(size: number, channels: Channels): number {
  let count = 0;
  let [inChannels, extent] = [channels as number, size];
  for (const layer of compact.graph({ classes: 10, channels }).layers) {
    if (layer.kind !== 'convolution') continue;
    extent = Math.floor((extent + 2 * layer.padding[0] - layer.kernel[0]) / layer.stride[0]) + 1;
    count += extent * extent * inChannels * layer.outChannels * layer.kernel[0] * layer.kernel[1];
    inChannels = layer.outChannels;
  }
  return count;
}

test('compact costs what its definition says', (t) => {
  t.is(Math.round(multiplyAdds(28, 1) / 1e5), 97);
  t.is(Math.round(multiplyAdds(224, 3) / 1e8), 6);
});

test('a network is named plainly or as scripts for HALCON name it', (t) => {
  for (const name of ['compact', 'pretrained_dl_classifier_compact', 'pretrained_dl_classifier_compact.hdl']) {
    t.deepEqual(parseFileName(name), { kind: 'network', network: compact });
  }
  t.deepEqual(parseFileName('pretrained_dl_classifier_resnet18.hdl'), { kind: 'network', network: resnet18 });
});

test('what is named like a network that is not there is no stored classifier', (t) => {
  t.deepEqual(parseFileName('pretrained_dl_classifier_enhanced.hdl'), { kind: 'unknown_network', name: 'enhanced' });
  t.deepEqual(parseFileName('pretrained_dl_classifier_'), { kind: 'unknown_network', name: '' });
});

test('any other name is a stored classifier', (t) => {
  for (const name of ['best', 'compact.hdl', 'compact.safetensors', 'Compact', '']) t.deepEqual(parseFileName(name), { kind: 'stored' });
  t.is(networkByName('Compact'), null);
});
