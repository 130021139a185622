/**
 * Each network, from the same weights and images, in the engine (float32) and in PyTorch (float64): confidences, loss and gradients of the
 * first step.
 *
 * A network as it is has kinks, and rounding carries some of its millions of values over one, in any program (61-torch-first-step has
 * batches where it does not): the gradient as a whole is compared, with a bound that allows for that. Without kinks the same convolutions,
 * batch norms, sums and fully connected layers, each with its sizes, strides and groups, are compared tensor by tensor.
 */
import test from 'ava';
import { engineBinding, type NetworkGraph } from '../native/index.js';
import { networks } from '../server/networks/index.js';
import { makeEngine } from './support/engine.js';
import { engineOptions, gradientStep, stagedBatch } from './support/engine_training.js';
import { largest, relativeError, totalRelativeError } from './support/relative_error.js';
import { float64Run, torchReference } from './support/torch_reference.js';
import { withoutDropout } from './support/without_dropout.js';
import { withoutKinks } from './support/without_kinks.js';

const CLASSES = 10;
const BATCH = 8;
const INPUT = { channels: 3, height: 64, width: 64 } as const;
const RUN = float64Run({ weight_prior: 1e-4, learning_rates: [0], keep: ['confidences', 'gradient'] });

/** Of the logarithms of confidences and of the loss. */
const FORWARD_BOUND = 2e-5;
/** Of each gradient tensor where there are no kinks; the scale of mobilenet_v2's first batch norm nearly cancels, PyTorch's float32 is 1e-4 to 2.5e-4 off. */
const TENSOR_BOUND = 3e-4;
/** Of the gradient as a whole with kinks. */
const KINK_BOUND = 5e-2;
/**
 * A tensor whose norm is below this share of the largest is left out, as it has no gradient but rounding: the bias of a batch norm
 * in front of another, the scale in front of a depthwise convolution and another.
 */
const ZERO_GRADIENT = 1e-6;

const engine = makeEngine();
test.after.always(() => engine.close());

interface Errors {
  readonly confidences: number;
  readonly loss: number;
  /** Of the gradient as one vector. */
  readonly total: number;
  readonly tensors: ReadonlyMap<string, number>;
}

async function errorsOf(graph: NetworkGraph): Promise<Errors> {
  const reference = await torchReference({
    network: { graph, ...INPUT },
    weights: null,
    seed: 20,
    images: { seeds: [7], count: BATCH, ...INPUT },
    classes: CLASSES,
    runs: { float64: RUN },
  });
  const model = new (engineBinding().Model)(engine, graph, INPUT, 1n);
  const tensors = reference.initialTensors(model);
  await model.restore(tensors);
  const batch = stagedBatch(reference.batch(0));
  const confidences = await model.apply(batch, { batchSize: BATCH, precision: 'float32', deterministic: true, frozenLayers: [] });
  batch.buffer.close();
  const { result, gradient } = await gradientStep(model, tensors, reference.batch(0), engineOptions(RUN, BATCH, 0));
  await model.close();

  const [loss = Number.NaN] = reference.run('float64').losses;
  const wanted = reference.tensorsOf('float64/gradient/0/');
  if ([...gradient.keys()].sort().join() !== [...wanted.keys()].sort().join()) throw new Error('other tensors have gradients');
  const pairs = [...wanted].map(([name, { data }]) => ({ name, ours: gradient.get(name) ?? [], data, norm: norm(data) }));
  const greatest = Math.max(...pairs.map((pair) => pair.norm));
  const significant = pairs.filter((pair) => pair.norm > ZERO_GRADIENT * greatest);
  return {
    confidences: relativeError(Float64Array.from(confidences, Math.log), reference.tensor('float64/confidences').map(Math.log)),
    loss: Math.abs(result.loss / loss - 1),
    total: totalRelativeError(pairs.map(({ ours, data }) => [ours, data])),
    tensors: new Map(significant.map(({ name, ours, data }) => [name, relativeError(ours, data)])),
  };
}

function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] ?? Number.NaN) ** 2;
  return Math.sqrt(sum);
}

for (const network of networks) {
  const graph = withoutDropout(network.graph({ classes: CLASSES, ...INPUT }));

  test.serial(`${network.name}: confidences, loss and the gradient of the first step agree with PyTorch's in float64`, async (t) => {
    t.timeout(120_000);
    const { confidences, loss, total } = await errorsOf(graph);
    t.log(`confidences ${confidences.toExponential(1)}, loss ${loss.toExponential(1)}, gradient ${total.toExponential(1)}`);
    t.true(confidences < FORWARD_BOUND);
    t.true(loss < FORWARD_BOUND);
    t.true(total < KINK_BOUND);
  });

  test.serial(`${network.name} without kinks: every gradient tensor agrees with PyTorch's in float64`, async (t) => {
    t.timeout(120_000);
    const { confidences, loss, tensors } = await errorsOf(withoutKinks(graph));
    const { name, value } = largest(tensors);
    t.log(
      `confidences ${confidences.toExponential(1)}, loss ${loss.toExponential(1)}, worst of ${tensors.size} tensors ${name} ${value.toExponential(1)}`,
    );
    t.true(confidences < FORWARD_BOUND);
    t.true(loss < FORWARD_BOUND);
    t.true(value < TENSOR_BOUND);
  });
}
