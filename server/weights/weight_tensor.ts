import { setImmediate as nextTurn } from 'node:timers/promises';
import { refuse } from '../errors/refusal.js';
import { recogniseForeignFile } from '../store/foreign_file.js';
import { headerLength, LENGTH_BYTES, parseHeader, SafetensorsProblem } from '../store/safetensors.js';

/** A tensor of a file that another program wrote, as it lies there. */
export interface WeightTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Little endian, row by row. */
  readonly bytes: Uint8Array;
}

/** PyTorch's counts of the batches that a batch norm has seen, and of the models that AveragedModel has; nothing is computed from them. */
const COUNT = /(^|\.)num_batches_tracked$|^n_averaged$/;
/** The optimiser's state in files of this service: `momentum/conv1.weight`. */
const OPTIMISER_STATE = /\//;

/** About a hundred bytes a tensor: room for 10,000 of them, and no more than other calls can wait for while it is parsed. */
const MAXIMUM_HEADER_BYTES = 1024 * 1024;

/** Of a file's beginning that tells whose it is. */
const RECOGNITION_BYTES = 4096;

/**
 * The weights in a safetensors file: all tensors but counts and the optimiser's state.
 *
 * @param fileName for the refusals
 * @throws Refusal FILE_NOT_OURS, which says what the file is where that is known
 */
export async function readWeights(bytes: Uint8Array, fileName: string, remedy?: string): Promise<WeightTensor[]> {
  try {
    return parse(bytes);
  } catch (error) {
    if (!(error instanceof SafetensorsProblem)) throw error;
    const foreign = recogniseForeignFile(fileName, bytes.subarray(0, RECOGNITION_BYTES));
    const known = foreign ?? { problem: error.message, remedy: remedy ?? 'give a safetensors file' };
    throw refuse('FILE_NOT_OURS', { file_name: fileName, ...known }, { cause: error });
  } finally {
    await nextTurn();
  }
}

function parse(bytes: Uint8Array): WeightTensor[] {
  const length = headerLength(bytes, bytes.byteLength);
  if (length > MAXIMUM_HEADER_BYTES)
    throw new SafetensorsProblem(`its header has ${length} bytes, weights have ${MAXIMUM_HEADER_BYTES} at most`);
  const data = bytes.subarray(LENGTH_BYTES + length);
  const { tensors } = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), data.byteLength);
  return tensors
    .filter(({ name }) => !COUNT.test(name) && !OPTIMISER_STATE.test(name))
    .map(({ name, dtype, shape, begin, end }) => ({ name, dtype, shape, bytes: data.subarray(begin, end) }));
}
