import { Refusal, refuse } from '../errors/refusal.js';
import { recogniseForeignFile } from './foreign_file.js';
import { FORMAT, MetadataProblem } from './metadata.js';
import { SafetensorsProblem } from './safetensors.js';

/** What every file of ours holds near its beginning, however much of the rest is lost. */
const MARK = `"format":"${FORMAT}"`;
/** Bytes from the beginning that tell whether a file is ours. */
export const RECOGNITION_BYTES = 4096;

/**
 * What a file is refused with that could not be read: damaged where it was once ours, else not ours.
 *
 * @param bytes the beginning of the file at least
 * @param error what the readers threw; anything but a problem of the file is returned as it is
 */
export function fileRefusal(fileName: string, bytes: Uint8Array, error: unknown): unknown {
  if (!(error instanceof SafetensorsProblem || error instanceof MetadataProblem || error instanceof Refusal)) return error;
  if (error instanceof Refusal && error.reason.startsWith('FILE_')) return error;
  const beginning = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, RECOGNITION_BYTES));
  if (beginning.includes(MARK)) return refuse('FILE_DAMAGED', { file_name: fileName, problem: error.message }, { cause: error });
  const foreign = recogniseForeignFile(fileName, beginning);
  if (foreign !== null) return refuse('FILE_NOT_OURS', { file_name: fileName, ...foreign }, { cause: error });
  return refuse('FILE_NOT_OURS', { file_name: fileName, problem: error.message }, { cause: error });
}
