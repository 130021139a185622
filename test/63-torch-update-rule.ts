/**
 * v = momentum * v - learning_rate * g, w = w + v: the learning rate multiplies the gradient before it enters v. torch.optim.SGD multiplies
 * v as a whole, old gradients included. The two are the same as long as the rate stays; a change of the rate parts them.
 */
import test from 'ava';
import { makeEngine } from './support/engine.js';
import { trainLike } from './support/engine_training.js';
import { totalRelativeError } from './support/relative_error.js';
import { smoothGraph } from './support/smooth_graph.js';
import { float64Run, type TorchReference, torchReference } from './support/torch_reference.js';

const CLASSES = 10;
const STEPS = 10;
const INPUT = { channels: 3, height: 32, width: 32 } as const;
const GRAPH = smoothGraph(CLASSES, true);
const CONSTANT = Array<number>(STEPS).fill(0.05);
const FALLING = CONSTANT.map((rate, step) => (step < STEPS / 2 ? rate : rate / 10));

const engine = makeEngine();
test.after.always(() => engine.close());

/** All that training changed in float64 by one rule and by the other. */
function reference(learningRates: readonly number[]): Promise<TorchReference> {
  const run = float64Run({ momentum: 0.9, weight_prior: 1e-3, learning_rates: learningRates, keep: ['final'] });
  return torchReference({
    network: { graph: GRAPH, ...INPUT },
    weights: null,
    seed: 3,
    images: { seeds: CONSTANT.map((_, step) => 100 + step), count: 16, ...INPUT },
    classes: CLASSES,
    runs: { dl: run, torch: { ...run, rule: 'torch' } },
  });
}

/** ||w - w'|| / ||w' - w_0|| over all trained tensors, w' being those that `rule` ends with. */
async function distance(torch: TorchReference, learningRates: readonly number[], rule: 'dl' | 'torch'): Promise<number> {
  const run = float64Run({ momentum: 0.9, weight_prior: 1e-3, learning_rates: learningRates });
  const { tensors } = await trainLike(engine, GRAPH, INPUT, torch, run);
  const trained = tensors.filter((tensor) => tensor.role === 'weight' || tensor.role === 'bias');
  return totalRelativeError(
    trained.map(({ name, data }) => {
      const start = torch.tensor(`initial/${name}`);
      const change = (values: ArrayLike<number>) => Float64Array.from(start, (value, i) => (values[i] ?? Number.NaN) - value);
      return [change(data), change(torch.tensor(`${rule}/final/${name}`))];
    }),
  );
}

test('with a constant learning rate ten steps end where both rules end', async (t) => {
  const torch = await reference(CONSTANT);
  t.true((await distance(torch, CONSTANT, 'dl')) < 1e-4);
  t.true((await distance(torch, CONSTANT, 'torch')) < 1e-4);
});

test('with a learning rate that changes midway they end where the rule of the specification ends, and far from where torch.optim.SGD ends', async (t) => {
  const torch = await reference(FALLING);
  const ours = await distance(torch, FALLING, 'dl');
  const sgd = await distance(torch, FALLING, 'torch');
  t.log(`distance from the specification's weights ${ours.toExponential(1)}, from torch.optim.SGD's ${sgd.toFixed(2)} of all change`);
  t.true(ours < 1e-4);
  t.true(sgd > 0.1);
});
