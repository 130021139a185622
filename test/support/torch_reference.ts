import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NetworkGraph } from '../../native/graph.js';
import type { Model, Tensor } from '../../native/index.js';
import { matchTensors } from '../../server/classifier/stored_tensors.js';
import type { StoredTensor } from '../../server/store/classifier_record.js';
import { runPython } from './python.js';
import { type FileTensor, readTensorFile, type TensorFile } from './tensor_file.js';

/** How PyTorch computes; test/python/torch_reference.py has the details. */
export interface TorchRun {
  readonly precision: 'float64' | 'float32' | 'bfloat16';
  readonly channels_last: boolean;
  readonly threads: number;
  /** PyTorch's name of it. */
  readonly device: string;
  /** The project's rule, torch.optim.SGD or torch.optim.AdamW. */
  readonly rule: 'dl' | 'torch' | 'adam';
  readonly momentum: number;
  readonly weight_prior: number;
  /** Not for torch.optim.SGD, which has no decoupled one. */
  readonly weight_decay: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  /** Of clip_grad_norm_; 0: no clipping. */
  readonly max_gradient_norm: number;
  /** One a class, or none. */
  readonly class_weights: readonly number[];
  /** Names of modules that keep their values; their batch norms are in eval mode. */
  readonly frozen_layers: readonly string[];
  readonly sub_batches: number;
  /** One a step. */
  readonly learning_rates: readonly number[];
  /** What of the run {@link TorchReference.tensor} shall have. */
  readonly keep: readonly ('confidences' | 'gradient' | 'final')[];
}

export interface TorchRequest {
  readonly network: { readonly graph: NetworkGraph; channels: number; height: number; width: number } | { readonly resnet18: number };
  /** A safetensors file of weights, or null for random ones. */
  readonly weights: string | null;
  readonly seed: number;
  /** Whether biases are moved so that the first step's images keep away from kinks: test/python/torch_kinks.py. @default not */
  readonly kinks?: {
    /** Null, or the layer of the one value that is brought to this distance above 0. */
    readonly on: { readonly layer: string; readonly distance: number } | null;
  };
  /** Photographs of test/python/photographs.py, made from one seed a step. */
  readonly images: { readonly seeds: readonly number[]; count: number; height: number; width: number; channels: number };
  readonly classes: number;
  readonly runs: Readonly<Record<string, TorchRun>>;
}

export interface TorchLosses {
  readonly losses: readonly number[];
  readonly losses_multinomial_logistic: readonly number[];
  /** Of the gradient of L before clipping. */
  readonly gradient_norms: readonly number[];
}

/** One step's images: uint8 (count, height, width, channels) and class indices. */
export interface LabelledPixels {
  readonly pixels: Uint8Array;
  readonly labels: Int32Array;
}

/** What PyTorch computed. */
export class TorchReference {
  constructor(
    private readonly results: Readonly<Record<string, TorchLosses>>,
    private readonly tensors: TensorFile,
  ) {}

  run(name: string): TorchLosses {
    const losses = this.results[name];
    if (losses === undefined) throw new Error(`no run ${name}`);
    return losses;
  }

  /** For instance `float64/gradient/0/conv1.weight`. */
  tensor(name: string): FileTensor['data'] {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw new Error(`no tensor ${name}`);
    return tensor.data;
  }

  /** The tensors whose names begin with `prefix`, named by what follows. */
  tensorsOf(prefix: string): Map<string, FileTensor> {
    return new Map(
      [...this.tensors].filter(([name]) => name.startsWith(prefix)).map(([name, tensor]) => [name.slice(prefix.length), tensor]),
    );
  }

  /** The images of a step. */
  batch(step: number): LabelledPixels {
    const [steps = 0, count = 0] = this.tensors.get('labels')?.shape ?? [];
    const pixels = this.tensor('pixels');
    const labels = this.tensor('labels');
    if (!(pixels instanceof Uint8Array && labels instanceof Float64Array)) throw new Error('pixels or labels have another type');
    const size = pixels.length / steps;
    return {
      pixels: pixels.subarray(step * size, (step + 1) * size),
      labels: Int32Array.from(labels.subarray(step * count, (step + 1) * count)),
    };
  }

  /** The weights that every run began with, as the model's `restore` takes them. */
  initialTensors(model: Model): Tensor[] {
    const initial = [...this.tensorsOf('initial/')].map(([name, { shape, data }]) => ({ name, shape, data }));
    const stored = initial.filter((tensor): tensor is StoredTensor => tensor.data instanceof Float32Array);
    const tensors = matchTensors(model.tensors, stored, 'weights');
    if (typeof tensors === 'string') throw new Error(tensors);
    return tensors;
  }
}

/** Runs PyTorch in a process of its own. */
export async function torchReference(request: TorchRequest): Promise<TorchReference> {
  const [reference] = await torchReferences([request]);
  if (reference === undefined) throw new Error('no answer');
  return reference;
}

/** Several requests one after the other in one process. */
export async function torchReferences(requests: readonly TorchRequest[]): Promise<TorchReference[]> {
  const folder = await mkdtemp(join(tmpdir(), 'torch-'));
  try {
    const outputs = requests.map((_, index) => join(folder, `${index}.safetensors`));
    const asked = requests.map((request, index) => ({ ...request, output: outputs[index] }));
    const answers = (await runPython('torch_reference.py', asked)) as Readonly<Record<string, TorchLosses>>[];
    return await Promise.all(answers.map(async (losses, index) => new TorchReference(losses, await readTensorFile(outputs[index] ?? ''))));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** PyTorch as the reference: float64, one sub-batch, the project's rule; one thread, as other tests run beside. */
export function float64Run(run: Partial<TorchRun> & Pick<TorchRun, 'learning_rates'>): TorchRun {
  return {
    precision: 'float64',
    channels_last: false,
    threads: 1,
    device: process.env.DL_TEST_TORCH_DEVICE ?? 'cpu',
    rule: 'dl',
    momentum: 0,
    weight_prior: 0,
    weight_decay: 0,
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    max_gradient_norm: 0,
    class_weights: [],
    frozen_layers: [],
    sub_batches: 1,
    keep: [],
    ...run,
  };
}

/** The same run as PyTorch computes it in float32 with either layout: its own rounding error, twice. */
export function float32Runs(run: TorchRun): { readonly float32: TorchRun; readonly float32_channels_last: TorchRun } {
  return {
    float32: { ...run, precision: 'float32' },
    float32_channels_last: { ...run, precision: 'float32', channels_last: true },
  };
}
