/**
 * bfloat16: weights, loss and batch norm's statistics stay in float32, but what travels between the layers and what convolutions multiply is
 * rounded to 8 significant bits, a relative error of up to 2^-9 each time.
 *
 * On a network without kinks the gradient is then wrong by some units of 2^-9 = 0.002. With ReLU after each of many layers it is wrong by
 * tens of percent, however the arithmetic is arranged: a thousandth to a hundredth of all values come to lie on the wrong side of zero,
 * and each removes or adds its whole share of the gradient. PyTorch's autocast has the same errors; ours may be no larger than 1.25
 * times its own, and no larger than the absolute bounds.
 */
import test from 'ava';
import { engineBinding, type InputSize, type NetworkGraph } from '../native/index.js';
import { compact } from '../server/networks/compact.js';
import { resnet18 } from '../server/networks/resnet18.js';
import { makeEngine } from './support/engine.js';
import { engineOptions, gradientStep, trainLike } from './support/engine_training.js';
import { rootMeanSquareDifference, totalRelativeError } from './support/relative_error.js';
import { smoothGraph } from './support/smooth_graph.js';
import { float64Run, type TorchReference, type TorchRequest, torchReference } from './support/torch_reference.js';

const CLASSES = 10;
const BATCH = 16;

interface Case {
  readonly title: string;
  readonly graph: NetworkGraph;
  readonly input: InputSize;
  readonly torch: TorchRequest['network'];
  /** |L - L64| / L64. */
  readonly lossBound: number;
  /** ||g - g64|| / ||g64|| over all tensors together. */
  readonly gradientBound: number;
}

const SMALL = { channels: 3, height: 32, width: 32 } as const;
const LARGE = { channels: 3, height: 64, width: 64 } as const;
const SMOOTH = smoothGraph(CLASSES, true);
const COMPACT = compact.graph({ classes: CLASSES, ...LARGE });
const RESNET18 = resnet18.graph({ classes: CLASSES, ...LARGE });

const CASES: readonly Case[] = [
  {
    title: 'a network without kinks',
    graph: SMOOTH,
    input: SMALL,
    torch: { graph: SMOOTH, ...SMALL },
    lossBound: 0.002,
    gradientBound: 0.02,
  },
  { title: 'compact', graph: COMPACT, input: LARGE, torch: { graph: COMPACT, ...LARGE }, lossBound: 0.005, gradientBound: 0.2 },
  { title: 'resnet18', graph: RESNET18, input: LARGE, torch: { resnet18: CLASSES }, lossBound: 0.01, gradientBound: 0.6 },
];

const engine = makeEngine();
test.after.always(() => engine.close());

const supported = engine.info.precisions.includes('bfloat16');

/** The distance of all gradient tensors together from float64's. */
function gradientError(reference: TorchReference, gradient: (name: string) => ArrayLike<number>): number {
  const exact = reference.tensorsOf('float64/gradient/0/');
  return totalRelativeError([...exact].map(([name, { data }]) => [gradient(name), data]));
}

for (const { title, graph, input, torch, lossBound, gradientBound } of CASES) {
  (supported ? test : test.skip)(
    `${title}: loss and gradient in bfloat16 are as near to float64 as those of PyTorch's autocast`,
    async (t) => {
      const run = float64Run({ learning_rates: [0], keep: ['gradient'] });
      const autocast = { ...run, precision: 'bfloat16' } as const;
      const reference = await torchReference({
        network: torch,
        weights: null,
        seed: 20,
        images: { seeds: [7], count: BATCH, ...input },
        classes: CLASSES,
        runs: { float64: run, bfloat16: autocast, bfloat16_channels_last: { ...autocast, channels_last: true } },
      });
      const model = new (engineBinding().Model)(engine, graph, input, 1n);
      const options = engineOptions(run, BATCH, 0, 'bfloat16');
      const { result, gradient } = await gradientStep(model, reference.initialTensors(model), reference.batch(0), options);

      const [loss = Number.NaN] = reference.run('float64').losses;
      const ours = { loss: Math.abs(result.loss / loss - 1), gradient: gradientError(reference, (name) => gradient.get(name) ?? []) };
      const theirs = ['bfloat16', 'bfloat16_channels_last'].map((name) => ({
        loss: Math.abs((reference.run(name).losses[0] ?? Number.NaN) / loss - 1),
        gradient: gradientError(reference, (tensor) => reference.tensor(`${name}/gradient/0/${tensor}`)),
      }));
      for (const error of [ours, ...theirs]) t.log(`loss ${error.loss.toExponential(1)}, gradient ${error.gradient.toExponential(1)}`);
      t.true(ours.loss < lossBound);
      t.true(ours.gradient < gradientBound);
      t.true(ours.gradient <= 1.25 * Math.max(...theirs.map((error) => error.gradient)));
      await model.close();
    },
  );
}

(supported ? test : test.skip)('ten steps in bfloat16 stay as near to float64 as those of PyTorch', async (t) => {
  const rates = [0.02, 0.02, 0.02, 0.02, 0.02, 0.002, 0.002, 0.002, 0.002, 0.002];
  const run = float64Run({ momentum: 0.9, weight_prior: 1e-4, learning_rates: rates });
  const reference = await torchReference({
    network: { graph: SMOOTH, ...SMALL },
    weights: null,
    seed: 21,
    images: { seeds: rates.map((_, step) => 300 + step), count: BATCH, ...SMALL },
    classes: CLASSES,
    runs: { float64: run, bfloat16: { ...run, precision: 'bfloat16' } },
  });
  const { losses } = await trainLike(engine, SMOOTH, SMALL, reference, run, 'bfloat16');
  const exact = reference.run('float64').losses;
  const ours = rootMeanSquareDifference(losses, exact);
  const theirs = rootMeanSquareDifference(reference.run('bfloat16').losses, exact);
  t.log(`ours ${ours.toExponential(1)}, PyTorch's ${theirs.toExponential(1)}`);
  t.true(ours < 0.01);
  t.true(ours <= 2 * theirs);
});
