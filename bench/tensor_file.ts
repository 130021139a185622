import { readFile } from 'node:fs/promises';
import { headerLength, LENGTH_BYTES, parseHeader } from '../server/store/safetensors.js';

/** A tensor of a safetensors file; integers of 64 bits become float64. */
export interface FileTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Uint8Array;
}

export type TensorFile = ReadonlyMap<string, FileTensor>;

/** All tensors of a safetensors file by their names. */
export async function readTensorFile(path: string): Promise<TensorFile> {
  const bytes = await readFile(path);
  const begin = LENGTH_BYTES + headerLength(bytes, bytes.byteLength);
  const { tensors } = parseHeader(bytes.subarray(LENGTH_BYTES, begin), bytes.byteLength - begin);
  return new Map(
    tensors.map(({ name, dtype, shape, ...range }) => {
      // A copy, because a view must be aligned.
      const { buffer } = Uint8Array.from(bytes.subarray(begin + range.begin, begin + range.end));
      return [name, { shape, data: view(dtype, buffer) }];
    }),
  );
}

function view(dtype: string, buffer: ArrayBuffer): FileTensor['data'] {
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F64':
      return new Float64Array(buffer);
    case 'U8':
      return new Uint8Array(buffer);
    case 'I64':
      return Float64Array.from(new BigInt64Array(buffer), Number);
    default:
      throw new Error(`no view for the type ${dtype}`);
  }
}
