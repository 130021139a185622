/** Where the time of a training step goes: milliseconds of each layer, and how near it comes to what the processor can do. */
import { engineBinding, type Layer, type LayerInfo, type LayerSeconds, type Precision } from '../native/index.js';
import { median } from './median.js';
import { sgdOptions } from './sgd_options.js';
import { CLASSES, graphOf } from './step/case.js';

export interface ProfileOptions {
  readonly network: string;
  readonly size: number;
  readonly batch: number;
  readonly precision: Precision;
  readonly threads: number;
  /** Index of the GPU that computes, or null. */
  readonly gpu: number | null;
  readonly steps: number;
}

const PHASES = ['forward', 'weights', 'backward'] as const;
type Phase = (typeof PHASES)[number];

/** A layer's work and the medians of its seconds. */
interface Row {
  readonly layer: string;
  readonly description: string;
  /** Floating-point operations of one of its products, 2 a multiply-add; 0 where it has none. */
  readonly operations: number;
  /** Values that the forward half reads and writes at least, in bytes. */
  readonly bytes: number;
  readonly seconds: Readonly<Record<Phase, number>>;
}

/** Prints one line a layer, then the sums by kind. */
export async function measureProfile({ network, size, batch, precision, threads, gpu, steps }: ProfileOptions): Promise<void> {
  const binding = engineBinding();
  const engine = new binding.Engine({ gpu, threads, queueLength: 1 });
  const graph = graphOf(network, size);
  const model = new binding.Model(engine, graph, { channels: 3, height: size, width: size }, 1n);
  const pixels = Uint8Array.from({ length: batch * size * size * 3 }, (_, index) => (index * 2654435761) >>> 24);
  const buffer = new binding.StagingBuffer(pixels.byteLength);
  buffer.write(0, pixels);
  const labels = Int32Array.from({ length: batch }, (_, index) => index % CLASSES);

  const measured: (readonly LayerSeconds[])[] = [];
  for (let step = -2; step < steps; step++) {
    const options = sgdOptions({ batchSize: batch, precision, learningRate: 0.001, momentum: 0.9, weightPrior: 0.0001, step: step + 2 });
    const seconds = await model.profile({ buffer, format: 'uint8', count: batch }, labels, options);
    if (step >= 0) measured.push(seconds);
  }
  const infos = new Map(model.layers.map((info) => [info.name, info]));
  const layers = new Map(graph.layers.map((layer) => [layer.name, layer]));
  const rows = (measured[0] ?? []).map(({ layer }, index): Row => {
    const of = (phase: Phase) => median(measured.map((seconds) => seconds[index]?.[phase] ?? Number.NaN));
    const seconds = { forward: of('forward'), weights: of('weights'), backward: of('backward') };
    return { layer, seconds, ...workOf(required(layers, layer), infos, batch, precision) };
  });
  await engine.close();

  const kinds = [...new Set(rows.map(({ description }) => description.split(' ')[0] ?? ''))];
  for (const row of rows) print(row);
  console.log();
  for (const kind of kinds)
    print(
      sum(
        `all ${kind}`,
        rows.filter(({ description }) => description.startsWith(kind)),
      ),
    );
  print(sum('the step', rows));
}

function required<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new Error(`the engine has no layer ${name}`);
  return value;
}

function workOf(layer: Layer, infos: ReadonlyMap<string, LayerInfo>, batch: number, precision: Precision): Omit<Row, 'layer' | 'seconds'> {
  const { inputs, outputShape } = required(infos, layer.name);
  const [channels, height, width] = outputShape;
  const input = inputs[0] === undefined ? outputShape : required(infos, inputs[0]).outputShape;
  const values = [outputShape, ...inputs.map((name) => required(infos, name).outputShape)].map(([c, h, w]) => c * h * w);
  const bytes = batch * values.reduce((all, some) => all + some, 0) * (precision === 'float32' ? 4 : 2);
  if (layer.kind === 'convolution') {
    const { kernel, stride, groups } = layer;
    const products = ((channels * input[0]) / groups) * kernel[0] * kernel[1] * height * width;
    const text = `${kernel.join('x')}/${stride[0]}${groups > 1 ? ` in ${groups} groups` : ''} ${input[0]} -> ${channels} at ${height} x ${width}`;
    return { description: `convolution ${text}`, operations: 2 * batch * products, bytes };
  }
  if (layer.kind === 'fully_connected') {
    const features = input[0] * input[1] * input[2];
    return { description: `${layer.kind} ${features} -> ${channels}`, operations: 2 * batch * features * channels, bytes };
  }
  return { description: `${layer.kind} ${channels} at ${height} x ${width}`, operations: 0, bytes };
}

function sum(description: string, rows: readonly Row[]): Row {
  const total = (of: (row: Row) => number) => rows.reduce((all, row) => all + of(row), 0);
  const seconds = (phase: Phase) => total((row) => row.seconds[phase]);
  return {
    layer: '',
    description,
    operations: total(({ operations }) => operations),
    bytes: total(({ bytes }) => bytes),
    seconds: { forward: seconds('forward'), weights: seconds('weights'), backward: seconds('backward') },
  };
}

function print({ layer, description, operations, bytes, seconds }: Row): void {
  const cells = PHASES.map((phase) => {
    const time = seconds[phase];
    const rate = operations > 0 ? `${(operations / time / 1e9).toFixed(0)} GFLOP/s` : `${(bytes / time / 1e9).toFixed(0)} GB/s`;
    return time < 1e-6 ? ''.padStart(24) : `${(time * 1000).toFixed(2).padStart(9)} ms ${rate.padStart(12)}`;
  });
  console.log(`${layer.padEnd(24)} ${description.padEnd(44)} ${cells.join('')}`.trimEnd());
}
