import { setImmediate as nextTurn } from 'node:timers/promises';

/** Values that are converted before other calls get their turn: some milliseconds. */
const SLICE_VALUES = 512 * 1024;

type Convert = (bytes: Uint8Array) => Float32Array;

const CONVERSIONS: Readonly<Record<string, Convert>> = { F32: fromFloat32, F16: fromFloat16, BF16: fromBfloat16, F64: fromFloat64 };

const ITEM_BYTES: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2, F64: 8 };

/** The types of safetensors that {@link toFloat32} takes. */
export const FLOAT_TYPES = Object.keys(CONVERSIONS);

/**
 * Values as float32: exact for F32, F16 and BF16, rounded to nearest for F64.
 *
 * @returns null where a value is NaN or infinite, or too large for float32
 */
export async function toFloat32(dtype: string, bytes: Uint8Array): Promise<Float32Array | null> {
  const convert = CONVERSIONS[dtype];
  const itemBytes = ITEM_BYTES[dtype];
  if (convert === undefined || itemBytes === undefined) throw new Error(`no conversion from ${dtype}`);
  const values = new Float32Array(bytes.byteLength / itemBytes);
  for (let begin = 0; begin < values.length; begin += SLICE_VALUES) {
    const slice = convert(aligned(bytes.subarray(begin * itemBytes, (begin + SLICE_VALUES) * itemBytes)));
    if (!slice.every(Number.isFinite)) return null;
    values.set(slice, begin);
    if (values.length > SLICE_VALUES) await nextTurn();
  }
  return values;
}

/** A view may begin anywhere, an array of numbers only at a multiple of their size. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % Float64Array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
}

function fromFloat32({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

function fromFloat64({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
  return Float32Array.from(new Float64Array(buffer, byteOffset, byteLength / 8));
}

/** bfloat16 is the upper half of a float32. */
function fromBfloat16({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
  const halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
  return new Float32Array(Uint32Array.from(halves, (half) => (half << 16) >>> 0).buffer);
}

/** IEEE 754 binary16: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction. */
function fromFloat16({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
  return Float32Array.from(new Uint16Array(buffer, byteOffset, byteLength / 2), (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
}
