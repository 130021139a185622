/**
 * batch_size_multiplier m: the batch is cut, in order, into m sub-batches, gradients of the data term are averaged over all images, the
 * prior enters once. In PyTorch that is gradient accumulation, batch norm taking the statistics of each sub-batch by itself.
 */
import test from 'ava';
import type { Tensor } from '../native/index.js';
import { makeEngine } from './support/engine.js';
import { trainLike } from './support/engine_training.js';
import { largest, relativeError } from './support/relative_error.js';
import { smoothGraph } from './support/smooth_graph.js';
import { float64Run, type TorchReference, torchReference } from './support/torch_reference.js';

const CLASSES = 10;
const INPUT = { channels: 3, height: 32, width: 32 } as const;
const RATES = [0.05, 0.05, 0.01];
const IMAGES = 8;
const WHOLE = float64Run({ momentum: 0.9, weight_prior: 1e-3, learning_rates: RATES, keep: ['final'] });
const CUT = { ...WHOLE, sub_batches: 4 };

const engine = makeEngine();
test.after.always(() => engine.close());

function reference(batchNorm: boolean): Promise<TorchReference> {
  return torchReference({
    network: { graph: smoothGraph(CLASSES, batchNorm), ...INPUT },
    weights: null,
    seed: 5,
    images: { seeds: [51, 52, 53], count: IMAGES, ...INPUT },
    classes: CLASSES,
    runs: { whole: WHOLE, cut: CUT },
  });
}

/** The largest ||w - w'|| / ||w'|| of weights, biases and statistics after three steps. */
function distance(tensors: readonly Tensor[], wanted: (name: string) => ArrayLike<number>): number {
  const values = tensors.filter(({ role }) => role !== 'momentum');
  return largest(new Map(values.map(({ name, data }) => [name, relativeError(data, wanted(name))]))).value;
}

test('4 x 2 images equal gradient accumulation in PyTorch, batch norm included, and differ from 8 x 1', async (t) => {
  const torch = await reference(true);
  const cut = await trainLike(engine, smoothGraph(CLASSES, true), INPUT, torch, CUT);
  for (const [step, loss] of torch.run('cut').losses.entries()) t.true(Math.abs((cut.losses[step] ?? Number.NaN) / loss - 1) < 1e-5);
  t.true(distance(cut.tensors, (name) => torch.tensor(`cut/final/${name}`)) < 1e-4);
  t.true(distance(cut.tensors, (name) => torch.tensor(`whole/final/${name}`)) > 1e-2);
});

test('without batch norm 4 x 2 equals 8 x 1', async (t) => {
  const torch = await reference(false);
  const cut = await trainLike(engine, smoothGraph(CLASSES, false), INPUT, torch, CUT);
  const whole = await trainLike(engine, smoothGraph(CLASSES, false), INPUT, torch, WHOLE);
  t.true(distance(cut.tensors, (name) => torch.tensor(`cut/final/${name}`)) < 1e-5);
  const ours = new Map(whole.tensors.filter(({ role }) => role !== 'momentum').map(({ name, data }) => [name, data]));
  t.true(distance(cut.tensors, (name) => ours.get(name) ?? []) < 1e-5);
});
