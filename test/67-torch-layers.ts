/** Every kind of layer alone: confidences, loss, gradients and batch norm's statistics beside PyTorch in float64. */
import test from 'ava';
import { engineBinding } from '../native/index.js';
import { makeEngine } from './support/engine.js';
import { engineOptions, gradientStep, stagedBatch } from './support/engine_training.js';
import { LAYER_CASES, LAYER_INPUT, layerGraph } from './support/layer_graphs.js';
import { largest, relativeError } from './support/relative_error.js';
import { float64Run, torchReferences } from './support/torch_reference.js';

const CLASSES = 5;
const BATCH = 6;
const RUN = float64Run({ weight_prior: 1e-3, learning_rates: [1], keep: ['confidences', 'gradient', 'final'] });

test('every kind of layer agrees with PyTorch', async (t) => {
  const requests = LAYER_CASES.map((layerCase) => ({
    network: { graph: layerGraph(layerCase, CLASSES), ...LAYER_INPUT },
    weights: null,
    seed: 11,
    images: { seeds: [12], count: BATCH, ...LAYER_INPUT },
    classes: CLASSES,
    runs: { float64: RUN },
  }));
  const references = await torchReferences(requests);
  const engine = makeEngine();
  for (const [index, layerCase] of LAYER_CASES.entries()) {
    const reference = references[index];
    if (reference === undefined) throw new Error('a reference is missing');
    const model = new (engineBinding().Model)(engine, layerGraph(layerCase, CLASSES), LAYER_INPUT, 1n);
    const tensors = reference.initialTensors(model);
    await model.restore(tensors);
    const batch = stagedBatch(reference.batch(0));
    const confidences = await model.apply(batch, { batchSize: BATCH, precision: 'float32', deterministic: true, frozenLayers: [] });
    batch.buffer.close();
    const { result, gradient } = await gradientStep(model, tensors, reference.batch(0), engineOptions(RUN, BATCH, 0));

    const errors = new Map([['confidences', relativeError(confidences, reference.tensor('float64/confidences'))]]);
    const [loss = Number.NaN] = reference.run('float64').losses;
    errors.set('loss', Math.abs(result.loss / loss - 1));
    for (const [name, { data }] of reference.tensorsOf('float64/gradient/0/'))
      errors.set(`gradient of ${name}`, relativeError(gradient.get(name) ?? [], data));
    for (const { name, role, data } of await model.snapshot()) {
      if (role === 'statistic') errors.set(name, relativeError(data, reference.tensor(`float64/final/${name}`)));
    }
    const worst = largest(errors);
    t.log(`${worst.value.toExponential(1)} ${layerCase.title}: ${worst.name}`);
    t.true(worst.value < 1e-4, `${layerCase.title}: ${worst.name} ${worst.value}`);
    await model.close();
  }
  await engine.close();
});
