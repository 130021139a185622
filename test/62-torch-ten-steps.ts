/**
 * Ten steps with momentum, weight prior and a learning rate that changes at the sixth: how far float32 gets from float64, in the engine
 * and in PyTorch, whose two memory layouts round differently and so are two samples of its error.
 *
 * On a network without kinks the errors stay at rounding's size and can be compared closely. On resnet18 they cannot: ReLU and max pooling
 * make small batches chaotic. From the first value on that rounding carries over a kink the losses of any two programs part, about
 * tenfold a step, up to tenths after ten steps, PyTorch's own two layouts among them. What remains comparable is the size of
 * the error, root mean square over several runs.
 */
import test from 'ava';
import { resnet18 } from '../server/networks/resnet18.js';
import { makeEngine } from './support/engine.js';
import { trainLike } from './support/engine_training.js';
import { rootMeanSquareDifference } from './support/relative_error.js';
import { smoothGraph } from './support/smooth_graph.js';
import {
  float32Runs,
  float64Run,
  type TorchReference,
  type TorchRequest,
  torchReference,
  torchReferences,
} from './support/torch_reference.js';

const CLASSES = 10;
const STEPS = 10;
const RATES = Array.from({ length: STEPS }, (_, step) => (step < STEPS / 2 ? 0.01 : 0.001));
const RUN = float64Run({ momentum: 0.9, weight_prior: 1e-4, learning_rates: RATES });
const RUNS = { float64: RUN, ...float32Runs(RUN) };

const engine = makeEngine();
test.after.always(() => engine.close());

function sequence(network: TorchRequest['network'], size: number, seed: number): TorchRequest {
  return {
    network,
    weights: null,
    seed,
    images: { seeds: RATES.map((_, step) => 1000 * seed + step), count: 16, channels: 3, height: size, width: size },
    classes: CLASSES,
    runs: RUNS,
  };
}

/** Root mean square of the losses' distances from float64 over the ten steps. */
interface Errors {
  readonly ours: number;
  /** The larger of PyTorch's two layouts. */
  readonly torch: number;
}

function errorsOf(reference: TorchReference, ours: readonly number[]): Errors {
  const exact = reference.run('float64').losses;
  const layouts = ['float32', 'float32_channels_last'].map((run) => rootMeanSquareDifference(reference.run(run).losses, exact));
  return { ours: rootMeanSquareDifference(ours, exact), torch: Math.max(...layouts) };
}

test('without kinks the losses of ten steps are no further from float64 than twice those of PyTorch in float32', async (t) => {
  const graph = smoothGraph(CLASSES, true);
  const input = { channels: 3, height: 32, width: 32 };
  const reference = await torchReference(sequence({ graph, ...input }, 32, 1));
  const { losses } = await trainLike(engine, graph, input, reference, RUN);
  const errors = errorsOf(reference, losses);
  t.log(`ours ${errors.ours.toExponential(1)}, PyTorch's ${errors.torch.toExponential(1)}`);
  t.true(errors.ours < 1e-5);
  t.true(errors.ours <= 2 * errors.torch);
});

test('resnet18: the losses of ten steps are no further from float64 than twice those of PyTorch in float32', async (t) => {
  const graph = resnet18.graph({ classes: CLASSES, channels: 3, width: 64, height: 64 });
  const runs: Errors[] = [];
  for (const reference of await torchReferences([1, 2].map((seed) => sequence({ resnet18: CLASSES }, 64, seed)))) {
    const { losses } = await trainLike(engine, graph, { channels: 3, height: 64, width: 64 }, reference, RUN);
    runs.push(errorsOf(reference, losses));
  }
  for (const { ours, torch } of runs) t.log(`ours ${ours.toExponential(1)}, PyTorch's ${torch.toExponential(1)}`);
  const overall = (of: keyof Errors) => Math.sqrt(runs.reduce((sum, errors) => sum + errors[of] ** 2, 0) / runs.length);
  t.true(overall('ours') <= 2 * overall('torch'));
});
