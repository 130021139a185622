/** Exported models, checked by onnx and run by ONNX Runtime, give our confidences and PyTorch's. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Classifier, DlClassifierClient } from '../client/index.js';
import { engineBinding, type Layer } from '../native/index.js';
import { toStored } from '../server/classifier/stored_tensors.js';
import { compact } from '../server/networks/compact.js';
import { networks } from '../server/networks/index.js';
import { onnxModel } from '../server/onnx/model.js';
import { defaultSettings } from '../server/parameters/settings.js';
import { testWithDaemon } from './support/client.js';
import { makeEngine } from './support/engine.js';
import { LAYER_CASES, LAYER_INPUT, type LayerCase, layerGraph } from './support/layer_graphs.js';
import { runPython } from './support/python.js';
import { float64Run, torchReferences } from './support/torch_reference.js';

const test = testWithDaemon();

/** Single layers in float32 beside float64. */
const LAYER_TOLERANCE = 1e-5;
/** Whole networks with random weights, which make more of a rounding error than trained ones; ours and theirs are both float32. */
const NETWORK_TOLERANCE = 1e-4;

interface OnnxRun {
  readonly confidences: number[][];
  readonly torchvision: number[][] | null;
  readonly metadata: Record<string, string>;
  readonly opset: { domain: string; version: number }[];
  readonly inputs: { name: string; type: string; shape: (number | string)[] }[];
  readonly outputs: { name: string; type: string; shape: (number | string)[] }[];
}

interface Model {
  readonly bytes: Uint8Array;
  readonly pixels: Uint8Array | Float32Array;
  readonly shape: readonly [count: number, height: number, width: number, channels: number];
  /** torchvision computes the same images with these weights. */
  readonly torchvision?: { readonly network: string; readonly classes: number; readonly weights: Uint8Array };
}

async function runModels(t: ExecutionContext, models: readonly Model[]): Promise<OnnxRun[]> {
  const folder = await mkdtemp(join(tmpdir(), 'dl-classifier-onnx-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const requests = models.map(async ({ bytes, pixels, shape, torchvision }, index) => {
    const [model, images, weights] = ['onnx', 'pixels', 'safetensors'].map((ending) => join(folder, `${index}.${ending}`)) as [
      string,
      string,
      string,
    ];
    if (torchvision !== undefined) await writeFile(weights, torchvision.weights);
    await writeFile(model, bytes);
    await writeFile(images, new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength));
    const type = pixels instanceof Uint8Array ? 'uint8' : 'float32';
    return { model, images, type, shape, torchvision: torchvision === undefined ? null : { ...torchvision, weights } };
  });
  return (await runPython('onnx_run.py', await Promise.all(requests))) as OnnxRun[];
}

function worst(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number {
  return Math.max(...a.map((row, i) => Math.max(...row.map((value, j) => Math.abs(value - (b[i]?.[j] ?? Number.NaN))))));
}

function rows(values: ArrayLike<number>, columns: number): number[][] {
  const all = Array.from(values);
  return Array.from({ length: all.length / columns }, (_, row) => all.slice(row * columns, (row + 1) * columns));
}

const bias = true;
const MORE_CASES: readonly LayerCase[] = [
  { title: 'dropout', layers: [{ kind: 'dropout', name: 'probe', input: 'stem', probability: 0.5 }] },
  { title: 'global average pooling', layers: [{ kind: 'global_average_pool', name: 'probe', input: 'stem' }] },
  {
    title: 'a convolution and a sum behind fully connected layers',
    layers: [
      { kind: 'fully_connected', name: 'hidden', input: 'stem', outFeatures: 6, bias: false },
      {
        kind: 'convolution',
        name: 'mix',
        input: 'hidden',
        outChannels: 6,
        kernel: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
        groups: 1,
        bias,
      },
      { kind: 'add', name: 'sum', inputs: ['hidden', 'mix'] },
      { kind: 'concat', name: 'probe', inputs: ['sum', 'hidden'] },
    ] satisfies Layer[],
  },
];

test('every kind of layer gives the confidences that PyTorch computes in float64', async (t) => {
  const [classes, count] = [5, 6];
  const cases = [...LAYER_CASES, ...MORE_CASES];
  const references = await torchReferences(
    cases.map((layerCase) => ({
      network: { graph: layerGraph(layerCase, classes), ...LAYER_INPUT },
      weights: null,
      seed: 21,
      images: { seeds: [22], count, ...LAYER_INPUT },
      classes,
      runs: { float64: float64Run({ learning_rates: [0], keep: ['confidences'] }) },
    })),
  );
  const engine = makeEngine();
  const models: Model[] = [];
  for (const [index, layerCase] of cases.entries()) {
    const reference = references[index];
    if (reference === undefined) throw new Error('a reference is missing');
    const graph = layerGraph(layerCase, classes);
    const model = new (engineBinding().Model)(engine, graph, LAYER_INPUT, 1n);
    const tensors = reference.initialTensors(model).map(toStored);
    const { height: imageHeight, width: imageWidth, channels } = LAYER_INPUT;
    const settings = { ...defaultSettings(compact), classes: ['a', 'b', 'c', 'd', 'e'], imageHeight, imageWidth };
    const record = { network: { ...compact, graph: () => graph }, settings, step: 0, seed: 1n, tensors };
    const { parts } = onnxModel(record, model.layers, 'uint8');
    const { pixels } = reference.batch(0);
    models.push({ bytes: Buffer.concat(parts), pixels, shape: [count, imageHeight, imageWidth, channels] });
    await model.close();
  }
  await engine.close();
  const runs = await runModels(t, models);
  for (const [index, { title }] of cases.entries()) {
    const wanted = rows(references[index]?.tensor('float64/confidences') ?? [], classes);
    const difference = worst(runs[index]?.confidences ?? [], wanted);
    t.log(`${difference.toExponential(1)} ${title}`);
    t.is(wanted.length, count);
    t.true(difference < LAYER_TOLERANCE, `${title}: ${difference}`);
  }
});

const CLASSES = ['cat', 'größer', 'a "quoted" name'];

/** So many steps bring batch norm's running statistics near those of the images, as in a network in use. */
const STEPS = 25;

/** A network whose batch norms have seen noise; its weights hardly move. */
async function prepared(client: DlClassifierClient, network: string, size: number, channels: 1 | 3): Promise<Classifier> {
  const classifier = await client.readClassifier(network, { pretrained: false, seed: 4 });
  await classifier.setParam({ classes: CLASSES, image_dimensions: [size, size, channels], batch_size: 4, learning_rate: 1e-5 });
  for (let step = 0; step < STEPS; step++) await classifier.trainBatch(images(step, 4, size, channels), [0, 1, 2, 0]);
  return classifier;
}

/** Bright and dark noise, so that the confidences differ from image to image. */
function noise(seed: number, count: number, size: number, channels: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: count * size * size * channels }, (_, index) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const image = Math.floor(index / (size * size * channels));
    return ((state >>> 24) * (image + 1)) / count;
  });
}

function images(seed: number, count: number, size: number, channels: 1 | 3) {
  return { data: noise(seed, count, size, channels), shape: [count, size, size, channels] } as const;
}

/** Torchvision takes no other shape of alexnet's than that of 224 x 224; the topology of all four is compared elsewhere. */
const BESIDE_TORCHVISION: readonly string[] = ['resnet18', 'resnet50', 'mobilenet_v2'];

for (const network of networks) {
  for (const channels of network.name === 'compact' || network.name === 'resnet18' ? ([1, 3] as const) : ([3] as const)) {
    test(`${network.name} with ${channels} channels gives ONNX Runtime the confidences that we apply with`, async (t) => {
      const { client } = t.context;
      const size = Math.max(network.minSize, 47);
      await using classifier = await prepared(client, network.name, size, channels);
      // Not a multiple of batch_size.
      const count = 7;
      const batch = images(9, count, size, channels);
      await using result = await classifier.apply(batch);
      const ours = await Promise.all(
        Array.from({ length: count }, async (_, image) => {
          const byId = (await result.image(image)).toSorted((a, b) => a.classId - b.classId);
          return byId.map(({ confidence }) => confidence);
        }),
      );
      const values = Float32Array.from(batch.data, (value) => value - 127);
      const [fromBytes, fromFloats] = await runModels(t, [
        {
          bytes: await classifier.exportOnnx(),
          pixels: batch.data,
          shape: batch.shape,
          ...(channels === 3 && BESIDE_TORCHVISION.includes(network.name)
            ? { torchvision: { network: network.name, classes: CLASSES.length, weights: await classifier.exportSafetensors() } }
            : {}),
        },
        { bytes: await classifier.exportOnnx({ pixels: 'float32' }), pixels: values, shape: batch.shape },
      ]);
      for (const run of [fromBytes, fromFloats]) {
        const difference = worst(run?.confidences ?? [], ours);
        t.true(difference < NETWORK_TOLERANCE, `${difference}`);
        t.deepEqual(JSON.parse(run?.metadata.classes ?? ''), CLASSES);
        t.is(run?.metadata.network, network.name);
        t.is(run?.metadata.step, String(STEPS));
        t.deepEqual(run?.opset, [{ domain: '', version: 17 }]);
        t.deepEqual(run?.outputs, [{ name: 'confidences', type: 'tensor(float)', shape: ['batch', 3] }]);
      }
      t.deepEqual(fromBytes?.inputs, [{ name: 'images', type: 'tensor(uint8)', shape: ['batch', size, size, channels] }]);
      t.deepEqual(fromFloats?.inputs, [{ name: 'images', type: 'tensor(float)', shape: ['batch', size, size, channels] }]);
      if (fromBytes?.torchvision) t.true(worst(fromBytes.confidences, fromBytes.torchvision) < NETWORK_TOLERANCE);
      t.is(fromBytes?.torchvision !== null, channels === 3 && BESIDE_TORCHVISION.includes(network.name));
      const spread = Math.max(...ours.map(([first = 0]) => first)) - Math.min(...ours.map(([first = 0]) => first));
      t.true(spread > 1e-3, `the images do not differ: ${spread}`);
    });
  }
}
