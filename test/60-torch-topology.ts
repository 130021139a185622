/** The graphs of the networks that torchvision has, beside torchvision's own. */
import test from 'ava';
import type { NetworkGraph } from '../native/graph.js';
import { engineBinding } from '../native/index.js';
import { alexnet } from '../server/networks/alexnet.js';
import type { NetworkDefinition } from '../server/networks/definition.js';
import { mobilenetV2 } from '../server/networks/mobilenet_v2.js';
import { resnet18 } from '../server/networks/resnet18.js';
import { resnet50 } from '../server/networks/resnet50.js';
import { makeEngine } from './support/engine.js';
import { runPython } from './support/python.js';
import { withoutDropout } from './support/without_dropout.js';

const CLASSES = 1000;

type Shapes = Readonly<Record<string, readonly number[]>>;

interface Topology {
  readonly theirs: Shapes;
  readonly graph: Shapes;
  readonly parameters: number;
  readonly differences: Readonly<Record<string, number>>;
}

interface Request {
  readonly name: string;
  readonly classes: number;
  readonly part: 'all' | 'features';
  readonly graph: NetworkGraph;
  readonly height: number;
  readonly width: number;
}

/** alexnet's fully connected layers read what torchvision's do at this size alone. */
const SIZES: readonly (readonly [NetworkDefinition, size: number])[] = [
  [alexnet, 224],
  [resnet18, 64],
  [resnet50, 64],
  [mobilenetV2, 64],
];

function topologies(requests: readonly Request[]): Promise<Topology[]> {
  return runPython('torch_topology.py', requests) as Promise<Topology[]>;
}

test("the networks have torchvision's tensors, shapes, parameters and function", async (t) => {
  t.timeout(120_000);
  const engine = makeEngine();
  const found = await topologies(
    SIZES.map(([{ name, graph }, size]) => {
      const made = graph({ classes: CLASSES, channels: 3, width: size, height: size });
      return { name, classes: CLASSES, part: 'all', graph: withoutDropout(made), width: size, height: size };
    }),
  );
  for (const [index, [network, size]] of SIZES.entries()) {
    const { theirs, graph, parameters, differences } = found[index] ?? t.fail('no answer');
    t.deepEqual(graph, theirs, network.name);
    t.deepEqual(Object.keys(differences), ['training', 'evaluation']);
    for (const [mode, difference] of Object.entries(differences)) t.true(difference < 1e-12, `${network.name}, ${mode}: ${difference}`);

    const made = network.graph({ classes: CLASSES, channels: 3, width: size, height: size });
    const model = new (engineBinding().Model)(engine, made, { channels: 3, height: size, width: size }, 1n);
    const ours = Object.fromEntries(model.tensors.map(({ name, shape }) => [name, shape]));
    const withoutCounts = Object.fromEntries(Object.entries(theirs).filter(([name]) => !name.endsWith('.num_batches_tracked')));
    t.deepEqual(ours, withoutCounts, network.name);
    t.is(model.parameterCount, parameters);
    await model.close();
  }
  await engine.close();
});

/** The convolutional part of alexnet, whose logits are the means of its features. */
function featuresOf(graph: NetworkGraph): NetworkGraph {
  const last = graph.layers.findIndex(({ name }) => name === 'features.12');
  return {
    layers: [
      ...graph.layers.slice(0, last + 1),
      { kind: 'global_average_pool', name: 'mean', input: 'features.12' },
      { kind: 'softmax', name: 'softmax', input: 'mean' },
    ],
  };
}

test("alexnet's features are torchvision's at any size that torchvision takes", async (t) => {
  t.timeout(120_000);
  const sizes = [
    [63, 63],
    [100, 71],
    [131, 160],
  ] as const;
  const requests = sizes.map(([width, height]): Request => {
    const graph = featuresOf(alexnet.graph({ classes: CLASSES, channels: 3, width, height }));
    return { name: 'alexnet', classes: CLASSES, part: 'features', graph, width, height };
  });
  for (const { graph, theirs, differences } of await topologies(requests)) {
    t.deepEqual(graph, theirs);
    t.true((differences.evaluation ?? 1) < 1e-12);
  }
});
