/** Files of weights as other programs write them. */
import type { Tensor, TensorInfo } from '../../native/binding.js';
import { encodeHeader, type TensorEntry } from '../../server/store/safetensors.js';

/** The bytes of a safetensors file. */
export function tensorFile(tensors: readonly TensorEntry[]): Buffer {
  return Buffer.concat([encodeHeader(new Map([['format', 'pt']]), tensors), ...tensors.map(({ data }) => data)]);
}

/** A tensor of float32, all of one value. */
export function constant(name: string, shape: readonly number[], value = 0): TensorEntry {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(value);
  return { name, dtype: 'F32', shape, data: new Uint8Array(values.buffer) };
}

/** All tensors of a network but momentum, each of one value. */
export function constantWeights(tensors: readonly (TensorInfo | Tensor)[], value = 0): TensorEntry[] {
  return tensors.filter(({ role }) => role !== 'momentum').map(({ name, shape }) => constant(name, shape, value));
}

/** A header of any text before any data. */
export function withHeader(header: string | Uint8Array, data: Uint8Array = new Uint8Array(), length?: bigint): Buffer {
  const text = Buffer.from(header as string);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([prefix, text, data]);
}
