import type { Precision } from '../../native/binding.js';
import { refuse } from '../errors/refusal.js';
import { sha256 } from './checksum.js';
import type { ClassifierRecord, StoredTensor } from './classifier_record.js';
import { fileRefusal } from './file_refusal.js';
import { readFloat32Tensors } from './float32_tensors.js';
import { decodeMetadata, encodeMetadata, FORMAT, FORMAT_VERSION, MetadataProblem } from './metadata.js';
import {
  encodeHeader,
  headerLength,
  LENGTH_BYTES,
  parseHeader,
  type SafetensorsHeader,
  SafetensorsProblem,
  type TensorEntry,
} from './safetensors.js';

/** A classifier as the bytes of its file. */
export interface SerializedClassifier {
  readonly totalBytes: number;
  /** One after the other they are the file. */
  readonly parts: readonly Uint8Array[];
}

/**
 * A header is parsed at one go, while other calls wait. Classes and meta_data make it large, each at most a message that sets them, with
 * every character escaped at worst.
 */
const MAXIMUM_HEADER_BYTES = 32 * 1024 * 1024;

/** Where the header's own checksum stands in the header's text; its digits count as zeros. */
const HEADER_CHECKSUM_MARK = '"header_checksum":"';
const NO_CHECKSUM = '0'.repeat(64);

/** torchvision's count of the batches that a batch norm has seen; written for its strict loading, not read. */
const BATCH_COUNT_SUFFIX = '.num_batches_tracked';
const STATISTIC_SUFFIX = '.running_var';

/**
 * A safetensors file: tensors by torchvision's names, the solver's state as `momentum/<name>` and the like, and in the metadata all that ClassifierRecord
 * has. `checksum` is SHA-256 of the data, `header_checksum` that of the header.
 */
export async function serializeClassifier(record: ClassifierRecord): Promise<SerializedClassifier> {
  const tensors = tensorEntries(record.tensors, record.step);
  const data = tensors.map((tensor) => tensor.data);
  const metadata = encodeMetadata(record);
  metadata.set('checksum', await sha256(data));
  metadata.set('header_checksum', NO_CHECKSUM);
  const header = encodeHeader(metadata, tensors);
  if (header.byteLength > MAXIMUM_HEADER_BYTES) {
    throw refuse('LIMIT_EXCEEDED', { limit: 'stored_header_bytes', got: header.byteLength, maximum: MAXIMUM_HEADER_BYTES });
  }
  header.write(await headerChecksum(header.subarray(LENGTH_BYTES)), checksumOffset(header), 'latin1');
  return withSize([header, ...data]);
}

/** A safetensors file of tensors alone, with the counts that strict loading in PyTorch asks for. */
export function encodeTensorFile(
  metadata: ReadonlyMap<string, string>,
  tensors: readonly StoredTensor[],
  step: number,
): SerializedClassifier {
  const entries = tensorEntries(tensors, step);
  return withSize([encodeHeader(metadata, entries), ...entries.map(({ data }) => data)]);
}

function withSize(parts: readonly Uint8Array[]): SerializedClassifier {
  return { totalBytes: parts.reduce((sum, part) => sum + part.byteLength, 0), parts };
}

/**
 * @param fileName for the refusals
 * @param precisions that the device computes in
 * @throws Refusal FILE_NOT_OURS, FILE_DAMAGED, FILE_TOO_NEW
 */
export async function deserializeClassifier(
  bytes: Uint8Array,
  fileName: string,
  precisions: readonly Precision[],
): Promise<ClassifierRecord> {
  try {
    const headerBytes = bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + headerLength(bytes, bytes.byteLength));
    const data = bytes.subarray(LENGTH_BYTES + headerBytes.byteLength);
    const header = await readClassifierHeader(headerBytes, data.byteLength, fileName);
    expectChecksum('data', header.metadata.get('checksum'), await sha256([data]));
    const record = decodeMetadata(header.metadata, precisions);
    const ranges = header.tensors.filter(({ name }) => !name.endsWith(BATCH_COUNT_SUFFIX));
    return { ...record, tensors: await readFloat32Tensors(ranges, data) };
  } catch (error) {
    throw fileRefusal(fileName, bytes, error);
  }
}

/**
 * The header of a classifier's file, checked but for the data.
 *
 * @throws SafetensorsProblem, MetadataProblem, Refusal FILE_NOT_OURS, FILE_TOO_NEW
 */
export async function readClassifierHeader(headerBytes: Uint8Array, dataBytes: number, fileName: string): Promise<SafetensorsHeader> {
  if (headerBytes.byteLength > MAXIMUM_HEADER_BYTES) {
    throw new SafetensorsProblem(`its header has ${headerBytes.byteLength} bytes, that of a classifier ${MAXIMUM_HEADER_BYTES} at most`);
  }
  const header = parseHeader(headerBytes, dataBytes);
  if (header.metadata.get('format') !== FORMAT) {
    throw refuse('FILE_NOT_OURS', { file_name: fileName, problem: 'it is a safetensors file of another program' });
  }
  checkVersion(header.metadata.get('format_version'), fileName);
  expectChecksum('header', header.metadata.get('header_checksum'), await headerChecksum(headerBytes));
  return header;
}

function checkVersion(version: string | undefined, fileName: string): void {
  if (version === undefined || !/^[1-9]\d{0,8}$/.test(version)) {
    throw new MetadataProblem(`its format_version is ${JSON.stringify(version)}`);
  }
  if (Number(version) > FORMAT_VERSION) {
    throw refuse('FILE_TOO_NEW', { file_name: fileName, got_version: version, supported_version: FORMAT_VERSION });
  }
}

function expectChecksum(what: string, stored: string | undefined, computed: string): void {
  if (stored !== computed) throw new MetadataProblem(`the checksum of its ${what} is ${computed}, stored is ${stored ?? 'none'}`);
}

async function headerChecksum(headerBytes: Uint8Array): Promise<string> {
  const neutral = Buffer.from(headerBytes);
  const offset = checksumOffset(neutral);
  if (offset > 0) neutral.write(NO_CHECKSUM, offset, 'latin1');
  return sha256([neutral]);
}

/** Where the digits stand; -1 where there are none. */
function checksumOffset(bytes: Buffer): number {
  const mark = bytes.indexOf(HEADER_CHECKSUM_MARK);
  return mark < 0 ? -1 : mark + HEADER_CHECKSUM_MARK.length;
}

function tensorEntries(tensors: readonly StoredTensor[], step: number): TensorEntry[] {
  const counts = tensors
    .filter(({ name }) => name.endsWith(STATISTIC_SUFFIX) && !name.includes('/'))
    .map(({ name }) => batchCount(`${name.slice(0, -STATISTIC_SUFFIX.length)}${BATCH_COUNT_SUFFIX}`, step));
  const values = tensors.map(({ name, shape, data }) => {
    return { name, dtype: 'F32', shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  });
  // The 8-byte ones first, so that every tensor lies aligned.
  return [...counts, ...values];
}

function batchCount(name: string, step: number): TensorEntry {
  return { name, dtype: 'I64', shape: [], data: new Uint8Array(BigInt64Array.of(BigInt(step)).buffer) };
}
