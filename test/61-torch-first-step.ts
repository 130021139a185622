/**
 * The same weights and images in the engine (float32) and in PyTorch (float64).
 *
 * A gradient jumps where ReLU or max pooling changes its branch. Among the millions of values of a batch one nearly always lies so near to
 * such a kink that float32's rounding alone decides about it, and that one value changes whole gradient tensors by 1e-3 to 1e-2 of their
 * norm. So biases are moved and batches chosen, by PyTorch's float64 alone, such that every value is hundreds of roundings away from its
 * kink: there every gradient tensor has to agree, whatever the order of the sums. The last test puts one value on the kink.
 */
import test from 'ava';
import { type Engine, engineBinding, type Model } from '../native/index.js';
import { compact } from '../server/networks/compact.js';
import type { NetworkDefinition } from '../server/networks/definition.js';
import { resnet18 } from '../server/networks/resnet18.js';
import { makeEngine } from './support/engine.js';
import { engineOptions, gradientStep, stagedBatch } from './support/engine_training.js';
import { largest, relativeError } from './support/relative_error.js';
import {
  float32Runs,
  float64Run,
  type TorchReference,
  type TorchRequest,
  torchReference,
  torchReferences,
} from './support/torch_reference.js';

const CLASSES = 10;
const BATCH = 8;
const INPUT = { channels: 3, height: 64, width: 64 } as const;
/** ||ours - reference|| / ||reference|| of every tensor. */
const BOUND = 1e-4;
/** Half of the distance of 1 to the next float32: what one rounding can do. */
const ROUNDING = 2 ** -24;
/** A layer's values are wrong by a few roundings of their root mean square; this leaves room for any order of summation. */
const MARGIN = 100 * ROUNDING;

const RUN = float64Run({ weight_prior: 1e-4, learning_rates: [0], keep: ['confidences', 'gradient'] });
const FLOAT32 = float32Runs(RUN);

interface Case {
  readonly definition: NetworkDefinition;
  readonly network: TorchRequest['network'];
  /** Of a batch whose max pooling has no tie within the margin: one in fifty has none. */
  readonly seed: number;
}

const COMPACT: Case = {
  definition: compact,
  network: { graph: compact.graph({ classes: CLASSES, ...INPUT }), ...INPUT },
  seed: 1,
};
const RESNET18: Case = { definition: resnet18, network: { resnet18: CLASSES }, seed: 22 };

type Kink = NonNullable<TorchRequest['kinks']>['on'];

function request({ network, seed }: Case, on: Kink, runs: TorchRequest['runs']): TorchRequest {
  return {
    network,
    weights: null,
    seed: 20,
    kinks: { on },
    images: { seeds: [seed], count: BATCH, ...INPUT },
    classes: CLASSES,
    runs,
  };
}

const gradientOf = (reference: TorchReference, run: string) =>
  new Map([...reference.tensorsOf(`${run}/gradient/0/`)].map(([name, { data }]) => [name, data]));

type Gradient = ReadonlyMap<string, ArrayLike<number>>;

/** The relative error of each gradient tensor. */
function errors(gradient: Gradient, wanted: Gradient): Map<string, number> {
  return new Map([...wanted].map(([name, data]) => [name, relativeError(gradient.get(name) ?? [], data)]));
}

const describe = (values: ReadonlyMap<string, number>) => `${largest(values).value.toExponential(1)} ${largest(values).name}`;

function openModel(engine: Engine, { definition }: Case): Model {
  return new (engineBinding().Model)(engine, definition.graph({ classes: CLASSES, ...INPUT }), INPUT, 1n);
}

let engine: Engine;
test.before(() => {
  engine = makeEngine();
});
test.after.always(() => engine.close());

for (const networkCase of [COMPACT, RESNET18]) {
  test(`${networkCase.definition.name}: confidences, loss and every gradient tensor of the first step agree with PyTorch's in float64`, async (t) => {
    const reference = await torchReference(request(networkCase, null, { float64: RUN, ...FLOAT32 }));
    const margins = ['relu', 'max_pool'].map((kind) => Number(reference.tensor(`margin/${kind}`)[0]));
    t.log(`kinks are ${margins.map((margin) => (margin / ROUNDING).toFixed(0)).join(' and ')} roundings away`);
    t.true(Math.min(...margins) > MARGIN);

    const model = openModel(engine, networkCase);
    const tensors = reference.initialTensors(model);
    await model.restore(tensors);
    const images = reference.batch(0);
    const batch = stagedBatch(images);
    const confidences = await model.apply(batch, { batchSize: BATCH, precision: 'float32', deterministic: true, frozenLayers: [] });
    batch.buffer.close();
    t.true(relativeError(confidences.map(Math.log), reference.tensor('float64/confidences').map(Math.log)) < 1e-5);

    const { result, gradient } = await gradientStep(model, tensors, images, engineOptions(RUN, BATCH, 0));
    const loss = reference.run('float64').losses[0] ?? Number.NaN;
    t.true(Math.abs(result.loss / loss - 1) < 1e-5, `loss ${result.loss}, PyTorch's ${loss}`);
    const wanted = gradientOf(reference, 'float64');
    t.deepEqual([...gradient.keys()].sort(), [...wanted.keys()].sort());
    const ours = errors(gradient, wanted);
    t.log(`ours ${describe(ours)}`);
    for (const run of Object.keys(FLOAT32)) t.log(`PyTorch's ${run} ${describe(errors(gradientOf(reference, run), wanted))}`);
    t.deepEqual(
      [...ours].filter(([, error]) => !(error < BOUND)),
      [],
    );
    await model.close();
  });
}

test('one value on a kink: the gradient is that of one side or of the other, in PyTorch as here', async (t) => {
  const at = (distance: number, runs: TorchRequest['runs']) => request(RESNET18, { layer: 'layer3.0.bn1', distance }, runs);
  const [below, on, above] = await torchReferences([at(-1e-7, { float64: RUN }), at(0, FLOAT32), at(1e-7, { float64: RUN })]);
  if (below === undefined || on === undefined || above === undefined) throw new Error('three answers are wanted');
  const sides = [gradientOf(below, 'float64'), gradientOf(above, 'float64')] as const;
  const jump = errors(...sides);
  t.log(`from one side to the other ${describe(jump)}`);
  t.true(largest(jump).value > 10 * BOUND);

  const model = openModel(engine, RESNET18);
  const tensors = on.initialTensors(model);
  const { gradient } = await gradientStep(model, tensors, on.batch(0), engineOptions(RUN, BATCH, 0));
  await model.close();
  const rounded = {
    ours: gradient,
    "PyTorch's float32": gradientOf(on, 'float32'),
    "PyTorch's, channels last": gradientOf(on, 'float32_channels_last'),
  };
  for (const [name, values] of Object.entries(rounded)) {
    const [fromBelow = Number.NaN, fromAbove = Number.NaN] = sides.map((side) => largest(errors(values, side)).value);
    t.log(`${name}: ${fromBelow.toExponential(1)} from the side below, ${fromAbove.toExponential(1)} from that above`);
    t.true(Math.min(fromBelow, fromAbove) < BOUND, name);
    t.true(Math.max(fromBelow, fromAbove) > BOUND, name);
  }
});
