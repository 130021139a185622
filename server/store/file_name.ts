import { refuse } from '../errors/refusal.js';
import { parseFileName } from '../networks/index.js';

/** The ending of what WriteClassifier stores. */
const FILE_ENDING = '.safetensors';
/** Scripts for HALCON write such names; what is stored is a safetensors file all the same. */
const HALCON_ENDING = '.hdl';

const ALLOWED = `letters, digits, ".", "_" and "-", 1 to 128 of them and "${FILE_ENDING}", not beginning with "."`;

/** Names no folder, no hidden and no temporary file. */
function isFileName(fileName: string): boolean {
  const stem = fileName.endsWith(FILE_ENDING) ? fileName.slice(0, -FILE_ENDING.length) : fileName;
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(stem);
}

/**
 * The name of the file to store: one that is read again by the name given here.
 *
 * @throws Refusal WRONG_VALUE
 */
export function fileNameToWrite(fileName: string): string {
  const wanted = isFileName(fileName) ? insteadOfNetwork(fileName) : ALLOWED;
  if (wanted !== null) throw refuse('WRONG_VALUE', { name: 'file_name', got: JSON.stringify(fileName), wanted });
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

/** What to give instead of a name that means a network when it is read; null where it means a stored classifier. */
function insteadOfNetwork(fileName: string): string | null {
  const reference = parseFileName(fileName);
  if (reference.kind === 'stored') return null;
  const network = reference.kind === 'network' ? reference.network.name : reference.name;
  return `a name that ReadClassifier does not take for a network's, such as ${JSON.stringify(`my-${network}`)}`;
}
