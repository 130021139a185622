import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StoredTensor } from './classifier_record.js';
import { SafetensorsProblem, type TensorRange } from './safetensors.js';

/** Values that are looked at before other calls get their turn: some milliseconds. */
const SLICE_VALUES = 512 * 1024;

/**
 * The tensors of a file as float32.
 *
 * @param data of the file after its header
 * @throws SafetensorsProblem where one is of another type or holds NaN or infinity
 */
export async function readFloat32Tensors(ranges: readonly TensorRange[], data: Uint8Array): Promise<StoredTensor[]> {
  const tensors: StoredTensor[] = [];
  for (const { name, dtype, shape, begin, end } of ranges) {
    if (dtype !== 'F32') throw new SafetensorsProblem(`the tensor ${JSON.stringify(name)} is of the type ${dtype}, not F32`);
    const tensor = { name, shape, data: asFloat32(data.subarray(begin, end)) };
    await checkFinite(tensor);
    tensors.push(tensor);
  }
  return tensors;
}

/** A view where the bytes are aligned, else a copy; slice() would be a view again where the bytes are a Buffer. */
function asFloat32(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / Float32Array.BYTES_PER_ELEMENT);
}

async function checkFinite({ name, data }: StoredTensor): Promise<void> {
  for (let begin = 0; begin < data.length; begin += SLICE_VALUES) {
    if (!data.subarray(begin, begin + SLICE_VALUES).every(Number.isFinite)) {
      throw new SafetensorsProblem(`the tensor ${JSON.stringify(name)} holds NaN or infinity`);
    }
    if (data.length > SLICE_VALUES) await nextTurn();
  }
}
