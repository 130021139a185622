import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine, Precision } from '../../native/index.js';
import { type Batches, drawBatches, type Photographs } from '../photographs.js';
import { readTensorFile, type TensorFile } from '../tensor_file.js';
import { type AgreementCase, IMAGES, SIZE, START_BATCHES } from './case.js';
import { type Distances, type Losses, type Quantity, quantities } from './distances.js';
import { measureOurs, type Truth } from './ours.js';
import { askPeer, type Layout, type PeerLosses, type PeerRun } from './peer.js';

/** Both programs' distances from the truth, by quantity. */
export interface Agreement {
  readonly precision: Precision;
  readonly ours: Quantities;
  /** By the order of PyTorch's activations, which decides in what order it sums: two samples of its error. */
  readonly peer: Readonly<Record<Layout, Quantities>>;
}

export type Quantities = Readonly<Record<Quantity, number | null>>;

/** Below this share of the largest tensor's norm a gradient is rounding alone: a bias in front of a batch norm has none. */
const ZERO_GRADIENT = 1e-9;

/**
 * PyTorch makes the weights and the truth, then the engine is measured against it.
 *
 * @param folder keeps PyTorch's part, which is taken from there the next time; null: nothing is kept
 */
export async function compareAgreement(
  engine: Engine,
  agreementCase: AgreementCase,
  photographs: Photographs,
  folder: string | null,
): Promise<Agreement[]> {
  const { network, seed, steps } = agreementCase;
  // One batch more than steps: a loss after steps is that of the next one.
  const count = Math.max(START_BATCHES, steps) + 1;
  const batches = await drawBatches(photographs.training, { steps: count, images: IMAGES, size: SIZE, seed });
  const own = folder === null ? await mkdtemp(join(tmpdir(), 'agreement-')) : join(folder, `${network.name}-${seed}`);
  try {
    return await compareWithPeer(engine, agreementCase, batches, own);
  } finally {
    if (folder === null) await rm(own, { recursive: true, force: true });
  }
}

async function compareWithPeer(engine: Engine, agreementCase: AgreementCase, batches: Batches, folder: string): Promise<Agreement[]> {
  const { precisions } = engine.info;
  const peer = await askPeer(agreementCase, batches, engine.info, folder);
  const tensors = (name: string) => readTensorFile(join(folder, `${name}.safetensors`));
  const truth: Truth = {
    ofBatch: async (batch) => ({
      logConfidences: (await tensors(`logits.${batch}`)).get('logits')?.data ?? [],
      gradient: await tensors(`gradient.${batch}`),
    }),
  };
  const initial = await tensors('initial');
  const zero = zeroTensors(await tensors('gradient.0'));
  const trueLosses = lossesOf(peer.losses);
  const agreements: Agreement[] = [];
  for (const precision of precisions) {
    const ours = await measureOurs(engine, agreementCase, precision, initial, batches, truth);
    const { contiguous, channels_last } = peer.runs[precision];
    const of = (distances: Distances) => quantities(distances, zero, trueLosses);
    const theirs = { contiguous: of(distancesOf(contiguous)), channels_last: of(distancesOf(channels_last)) };
    agreements.push({ precision, ours: of(ours), peer: theirs });
  }
  return agreements;
}

function distancesOf({ logits, gradients, losses }: PeerRun): Distances {
  return { logits, gradients: gradients.map((errors) => new Map(Object.entries(errors))), losses: lossesOf(losses) };
}

function lossesOf({ after_one_step: afterOneStep, training }: PeerLosses): Losses {
  return { afterOneStep, training };
}

function zeroTensors(gradient: TensorFile): Set<string> {
  const norms = new Map([...gradient].map(([name, { data }]) => [name, Math.sqrt(norm2(data))]));
  const largest = Math.max(...norms.values());
  return new Set([...norms].filter(([, norm]) => norm < ZERO_GRADIENT * largest).map(([name]) => name));
}

function norm2(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] ?? Number.NaN) ** 2;
  return sum;
}
