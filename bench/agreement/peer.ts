import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineInfo, Precision } from '../../native/index.js';
import { encodeHeader, type TensorEntry } from '../../server/store/safetensors.js';
import type { Batches } from '../photographs.js';
import { runPythonScript } from '../python.js';
import { type AgreementCase, LEARNING_RATE, MOMENTUM, SIZE, START_BATCHES } from './case.js';

/** The order of PyTorch's activations, which decides in what order it sums. */
export type Layout = 'contiguous' | 'channels_last';

/** What bench/peer/torch_agreement.py prints. */
export interface PeerAnswer {
  readonly losses: PeerLosses;
  readonly runs: Readonly<Record<Precision, Readonly<Record<Layout, PeerRun>>>>;
}

export interface PeerRun {
  readonly logits: readonly number[];
  readonly gradients: readonly Readonly<Record<string, number>>[];
  readonly losses: PeerLosses;
}

export interface PeerLosses {
  readonly after_one_step: readonly number[];
  readonly training: readonly number[];
}

/**
 * PyTorch's part: weights and truth as files in the folder, its own errors as the answer. Where the folder has the answer to the same request
 * it is taken from there: it takes most of the time and does not change with the engine.
 */
export async function askPeer(
  { graph, network, seed, steps }: AgreementCase,
  batches: Batches,
  { precisions, threads }: Pick<EngineInfo, 'precisions' | 'threads'>,
  folder: string,
): Promise<PeerAnswer> {
  const file = join(folder, 'batches.safetensors');
  const request = {
    ...{ graph, channels: 3, height: SIZE, width: SIZE, seed, batches: file, folder, precisions, threads },
    ...{ start_batches: START_BATCHES, steps, learning_rate: LEARNING_RATE, momentum: MOMENTUM },
    weight_prior: network.defaultWeightPrior,
  };
  const kept = join(folder, 'answer.json');
  const text = JSON.stringify(request);
  const found = await readFile(kept, 'utf8').then(
    (json) => JSON.parse(json) as { request: string; answer: PeerAnswer },
    () => null,
  );
  if (found?.request === text) return found.answer;
  await mkdir(folder, { recursive: true });
  await writeFile(file, batchesFile(batches));
  const answer = (await runPythonScript('bench/peer/torch_agreement.py', request)) as PeerAnswer;
  await writeFile(kept, JSON.stringify({ request: text, answer }));
  return answer;
}

function batchesFile({ steps, images, size, pixels, labels }: Batches): Buffer {
  const tensors: TensorEntry[] = [
    { name: 'labels', dtype: 'I64', shape: [steps, images], data: new Uint8Array(BigInt64Array.from(labels, BigInt).buffer) },
    { name: 'pixels', dtype: 'U8', shape: [steps, images, size, size, 3], data: pixels },
  ];
  return Buffer.concat([encodeHeader(new Map(), tensors), ...tensors.map(({ data }) => data)]);
}
