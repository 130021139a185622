import { refuse } from '../errors/refusal.js';

/** The ending of what WriteClassifier stores. */
export const FILE_ENDING = '.safetensors';
/** Scripts for HALCON write such names; what is stored is a safetensors file all the same. */
const HALCON_ENDING = '.hdl';

const ALLOWED = 'letters, digits, ".", "_" and "-", 1 to 128 of them, not beginning with "."';

/** Names no folder, no hidden and no temporary file. */
export function isFileName(fileName: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(fileName);
}

/**
 * The name of the file to store.
 *
 * @throws Refusal WRONG_VALUE
 */
export function fileNameToWrite(fileName: string): string {
  if (!isFileName(fileName)) throw refuse('WRONG_VALUE', { name: 'file_name', got: JSON.stringify(fileName), wanted: ALLOWED });
  return hasEnding(fileName) ? fileName : fileName + FILE_ENDING;
}

/**
 * The names under which a stored classifier may lie, in the order in which they are tried.
 *
 * @throws Refusal FILE_NOT_FOUND
 */
export function fileNamesToRead(fileName: string): readonly string[] {
  if (!isFileName(fileName)) throw refuse('FILE_NOT_FOUND', { file_name: fileName, problem: `a stored classifier's name has ${ALLOWED}` });
  return hasEnding(fileName) ? [fileName] : [fileName + FILE_ENDING, fileName];
}

export function hasEnding(fileName: string): boolean {
  return fileName.endsWith(FILE_ENDING) || fileName.endsWith(HALCON_ENDING);
}
