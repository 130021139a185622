/** The graph of resnet18 beside the same network written by hand in PyTorch with torchvision's names. */
import test from 'ava';
import { engineBinding } from '../native/index.js';
import { resnet18 } from '../server/networks/resnet18.js';
import { makeEngine } from './support/engine.js';
import { runPython } from './support/python.js';

const CLASSES = 10;

type Shapes = Readonly<Record<string, readonly number[]>>;

interface Topology {
  readonly by_hand: Shapes;
  readonly graph: Shapes;
  readonly differences: { readonly evaluation: number; readonly training: number };
}

test('resnet18 has the tensors, the shapes and the function of the ResNet-18 that torchvision has', async (t) => {
  const graph = resnet18.graph({ classes: CLASSES, channels: 3, width: 64, height: 64 });
  const topology = (await runPython('torch_topology.py', { graph })) as Topology;
  t.deepEqual(topology.graph, topology.by_hand);
  t.true(topology.differences.evaluation < 1e-12);
  t.true(topology.differences.training < 1e-12);

  const engine = makeEngine();
  const model = new (engineBinding().Model)(engine, graph, { channels: 3, height: 64, width: 64 }, 1n);
  const ours = Object.fromEntries(model.tensors.map(({ name, shape }) => [name, shape]));
  const theirs = Object.fromEntries(Object.entries(topology.by_hand).filter(([name]) => !name.endsWith('.num_batches_tracked')));
  t.deepEqual(ours, theirs);
  await engine.close();
});
