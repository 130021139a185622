/**
 * Adam, decoupled weight decay, class weights, clipping of the gradient, frozen layers and the momentum of batch norms beside PyTorch in
 * float64: ten steps on a network without kinks, the losses and gradient norms of all steps, every weight, bias and statistic at the end.
 * Each case must also end elsewhere than plain SGD, so that a parameter without effect would show.
 */
import test from 'ava';
import type { NetworkGraph } from '../native/index.js';
import { makeEngine } from './support/engine.js';
import { trainLike } from './support/engine_training.js';
import { totalRelativeError } from './support/relative_error.js';
import { smoothGraph } from './support/smooth_graph.js';
import { float64Run, type TorchReference, type TorchRun, torchReferences } from './support/torch_reference.js';

const CLASSES = 10;
const INPUT = { channels: 3, height: 32, width: 32 } as const;
const RATES = Array.from({ length: 10 }, (_, step) => (step < 5 ? 0.01 : 0.002));
const PLAIN = float64Run({ momentum: 0.9, weight_prior: 1e-3, learning_rates: RATES, keep: ['final'] });
const CLASS_WEIGHTS = Array.from({ length: CLASSES }, (_, index) => 0.25 * index);

const CASES: Readonly<Record<string, TorchRun>> = {
  'Adam, weight_prior in its gradient': { ...PLAIN, rule: 'adam' },
  'AdamW: Adam with weight_decay': { ...PLAIN, rule: 'adam', weight_prior: 0, weight_decay: 0.1 },
  'Adam with other betas and epsilon': { ...PLAIN, rule: 'adam', betas: [0.5, 0.9], epsilon: 1e-3 },
  'Adam on 4 sub-batches of 4 images': { ...PLAIN, rule: 'adam', sub_batches: 4 },
  'SGD with weight_decay': { ...PLAIN, weight_decay: 0.5 },
  class_weights: { ...PLAIN, class_weights: CLASS_WEIGHTS },
  'class_weights on 4 sub-batches of 4 images': { ...PLAIN, class_weights: CLASS_WEIGHTS, sub_batches: 4 },
  'max_gradient_norm with SGD': { ...PLAIN, max_gradient_norm: 0.5 },
  'max_gradient_norm with Adam': { ...PLAIN, rule: 'adam', max_gradient_norm: 0.5 },
  'the first block frozen': { ...PLAIN, frozen_layers: ['conv1', 'bn1'] },
  'a convolution in the middle frozen, its batch norm not': { ...PLAIN, frozen_layers: ['conv2'] },
  'a batch norm above trained layers frozen': { ...PLAIN, frozen_layers: ['bn2'] },
  'all but the last layer frozen, by Adam': { ...PLAIN, rule: 'adam', frozen_layers: ['conv1', 'bn1', 'conv2', 'bn2'] },
  'all of them at once': {
    ...PLAIN,
    rule: 'adam',
    weight_decay: 0.05,
    max_gradient_norm: 0.5,
    class_weights: CLASS_WEIGHTS,
    frozen_layers: ['conv1', 'bn1'],
    sub_batches: 2,
  },
};

const WITHOUT_NORM: Readonly<Record<string, TorchRun>> = {
  whole: { ...PLAIN, rule: 'adam', class_weights: CLASS_WEIGHTS },
  cut: { ...PLAIN, rule: 'adam', class_weights: CLASS_WEIGHTS, sub_batches: 8 },
};

/** The graph with another momentum in all batch norms. */
function withMomentum({ layers }: NetworkGraph, momentum: number): NetworkGraph {
  return { layers: layers.map((layer) => (layer.kind === 'batch_norm' ? { ...layer, momentum } : layer)) };
}

const GRAPHS = {
  normalised: smoothGraph(CLASSES, true),
  slow: withMomentum(smoothGraph(CLASSES, true), 0.01),
  last: withMomentum(smoothGraph(CLASSES, true), 1),
  plain: smoothGraph(CLASSES, false),
} as const;

const RUNS: Readonly<Record<keyof typeof GRAPHS, Readonly<Record<string, TorchRun>>>> = {
  normalised: { PLAIN, ...CASES },
  slow: { PLAIN },
  last: { PLAIN },
  plain: WITHOUT_NORM,
};

const engine = makeEngine();
const references = new Map<string, TorchReference>();

test.before(async () => {
  const names = Object.keys(GRAPHS) as (keyof typeof GRAPHS)[];
  const answers = await torchReferences(
    names.map((name) => ({
      network: { graph: GRAPHS[name], ...INPUT },
      weights: null,
      seed: 6,
      images: { seeds: RATES.map((_, step) => 600 + step), count: 16, ...INPUT },
      classes: CLASSES,
      runs: RUNS[name],
    })),
  );
  for (const [index, name] of names.entries()) references.set(name, answers[index] as TorchReference);
});

test.after.always(() => engine.close());

function referenceOf(graph: keyof typeof GRAPHS): TorchReference {
  const reference = references.get(graph);
  if (reference === undefined) throw new Error(`no answer for ${graph}`);
  return reference;
}

interface Agreement {
  /** The largest relative differences of a loss and of a gradient norm. */
  readonly loss: number;
  readonly norm: number;
  /** ||w - w'|| / ||w' - w_0|| over all weights, biases and statistics, w' being PyTorch's. */
  readonly values: number;
}

async function agreement(graph: keyof typeof GRAPHS, name: string, run: TorchRun): Promise<Agreement> {
  const reference = referenceOf(graph);
  const ours = await trainLike(engine, GRAPHS[graph], INPUT, reference, run);
  const { losses, gradient_norms: norms } = reference.run(name);
  const worst = (values: readonly number[], wanted: readonly number[]) =>
    Math.max(...wanted.map((value, step) => Math.abs((values[step] ?? Number.NaN) / value - 1)));
  const values = ours.tensors.filter(({ role }) => ['weight', 'bias', 'statistic'].includes(role));
  const changes = values.map(({ name: tensor, data }) => {
    const start = reference.tensor(`initial/${tensor}`);
    const change = (end: ArrayLike<number>) => Float64Array.from(start, (value, i) => (end[i] ?? Number.NaN) - value);
    return [change(data), change(reference.tensor(`${name}/final/${tensor}`))] as const;
  });
  return { loss: worst(ours.losses, losses), norm: worst(ours.gradientNorms, norms), values: totalRelativeError(changes) };
}

/** How far PyTorch's own two runs end from each other, of all change. */
function effect(graph: keyof typeof GRAPHS, name: string, other: string, otherGraph = graph): number {
  const tensors = referenceOf(graph).tensorsOf(`${name}/final/`);
  const end = referenceOf(otherGraph).tensorsOf(`${other}/final/`);
  return totalRelativeError(
    [...tensors]
      .filter(([tensor]) => !tensor.endsWith('num_batches_tracked'))
      .map(([tensor, { data }]) => [data, end.get(tensor)?.data ?? []]),
  );
}

for (const [name, run] of Object.entries(CASES)) {
  test(`${name}: ten steps are those of PyTorch`, async (t) => {
    const { loss, norm, values } = await agreement('normalised', name, run);
    t.log(`loss ${loss.toExponential(1)}, norm ${norm.toExponential(1)}, values ${values.toExponential(1)}`);
    t.true(loss < 1e-5);
    t.true(norm < 1e-4);
    t.true(values < 2e-5);
    t.true(effect('normalised', name, 'PLAIN') > 1e-3);
  });
}

for (const graph of ['slow', 'last'] as const) {
  test(`batch norms with the momentum ${graph === 'slow' ? 0.01 : 1} end with the statistics of PyTorch`, async (t) => {
    const { loss, values } = await agreement(graph, 'PLAIN', PLAIN);
    t.true(loss < 1e-5);
    t.true(values < 2e-5);
    t.true(effect(graph, 'PLAIN', 'PLAIN', 'normalised') > 1e-3);
  });
}

test('without batch norm weighted sub-batches equal the weighted whole, in PyTorch and here', async (t) => {
  t.true(effect('plain', 'cut', 'whole') < 1e-9);
  for (const [name, run] of Object.entries(WITHOUT_NORM)) {
    const { loss, norm, values } = await agreement('plain', name, run);
    t.true(loss < 1e-5);
    t.true(norm < 1e-4);
    t.true(values < 2e-5);
  }
});
