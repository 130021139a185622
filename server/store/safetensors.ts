/**
 * The safetensors format (https://github.com/huggingface/safetensors): 8 bytes little endian, the length N of the header; N bytes of JSON,
 * name -> { dtype, shape, data_offsets: [begin, end) } and `__metadata__`, a string map; then the data, in which the tensors lie one
 * after the other without holes. All numbers little endian, as this service's machines have them.
 */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Little endian, row by row. */
  readonly data: Uint8Array;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: readonly TensorRange[];
}

/** A tensor by its place in the data. */
export interface TensorRange {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Why bytes are no safetensors file. */
export class SafetensorsProblem extends Error {
  override readonly name = 'SafetensorsProblem';
}

/** The reference implementation's bound for N. */
export const MAXIMUM_HEADER_BYTES = 100_000_000;
/** Where the header begins. */
export const LENGTH_BYTES = 8;

const DTYPE_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
};

/** Length and JSON header, padded with spaces so that the data begin at a multiple of 8. */
export function encodeHeader(metadata: ReadonlyMap<string, string>, tensors: readonly TensorEntry[]): Buffer {
  const entries: [string, unknown][] = [['__metadata__', Object.fromEntries(metadata)]];
  let begin = 0;
  for (const { name, dtype, shape, data } of tensors) {
    const end = begin + data.byteLength;
    entries.push([name, { dtype, shape, data_offsets: [begin, end] }]);
    begin = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const padded = Math.ceil(json.length / 8) * 8;
  const header = Buffer.alloc(LENGTH_BYTES + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded));
  json.copy(header, LENGTH_BYTES);
  return header;
}

/** @returns N, checked against the size of the file. @throws SafetensorsProblem */
export function headerLength(firstBytes: Uint8Array, fileBytes: number): number {
  if (firstBytes.byteLength < LENGTH_BYTES) throw new SafetensorsProblem(`it has ${firstBytes.byteLength} bytes only`);
  const view = new DataView(firstBytes.buffer, firstBytes.byteOffset, LENGTH_BYTES);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(MAXIMUM_HEADER_BYTES)) throw new SafetensorsProblem(`its header claims ${length} bytes`);
  if (length > BigInt(fileBytes - LENGTH_BYTES)) {
    throw new SafetensorsProblem(`its header claims ${length} bytes, the file ends after ${fileBytes - LENGTH_BYTES}`);
  }
  return Number(length);
}

/** @param dataBytes of the file after the header. @throws SafetensorsProblem */
export function parseHeader(header: Uint8Array, dataBytes: number): SafetensorsHeader {
  const { __metadata__, ...tensors } = parseJsonObject(header);
  const ranges = Object.entries(tensors).map(([name, value]) => parseTensor(name, value));
  checkRanges(ranges, dataBytes);
  return { metadata: parseMetadata(__metadata__), tensors: ranges };
}

function parseJsonObject(header: Uint8Array): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header));
  } catch {
    throw new SafetensorsProblem('its header is not JSON in UTF-8');
  }
  if (!isObject(parsed)) throw new SafetensorsProblem('its header is not a JSON object');
  return parsed;
}

function parseMetadata(value: unknown): ReadonlyMap<string, string> {
  if (value === undefined) return new Map();
  if (!isObject(value)) throw new SafetensorsProblem('its __metadata__ is not an object');
  return new Map(
    Object.entries(value).map(([key, text]) => {
      if (typeof text !== 'string') throw new SafetensorsProblem(`its __metadata__ ${JSON.stringify(key)} is not a string`);
      return [key, text];
    }),
  );
}

function parseTensor(name: string, value: unknown): TensorRange {
  const problem = (what: string) => new SafetensorsProblem(`the tensor ${JSON.stringify(name)} ${what}`);
  if (!isObject(value)) throw problem('is not an object');
  const { dtype, shape, data_offsets: offsets } = value;
  const itemBytes = typeof dtype === 'string' && Object.hasOwn(DTYPE_BYTES, dtype) ? DTYPE_BYTES[dtype] : undefined;
  if (typeof dtype !== 'string' || itemBytes === undefined) throw problem(`has the unknown type ${JSON.stringify(dtype)}`);
  if (!isSizes(shape)) throw problem('has no shape of integers >= 0');
  if (!isSizes(offsets) || offsets.length !== 2) throw problem('has no two offsets');
  const [begin = 0, end = 0] = offsets;
  const bytes = shape.reduce((product, size) => product * size, itemBytes);
  if (end - begin !== bytes) throw problem(`has ${end - begin} bytes, its shape and type need ${bytes}`);
  return { name, dtype, shape, begin, end };
}

/** The tensors must cover the data without overlap and without holes, so that no byte goes unread. */
function checkRanges(ranges: readonly TensorRange[], dataBytes: number): void {
  let covered = 0;
  for (const { name, begin, end } of ranges.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) throw new SafetensorsProblem(`the tensor ${JSON.stringify(name)} begins at ${begin}, not at ${covered}`);
    covered = end;
  }
  if (covered !== dataBytes) throw new SafetensorsProblem(`its tensors have ${covered} bytes, the file has ${dataBytes}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
