import type { Precision } from '../../native/binding.js';
import { Refusal } from '../errors/refusal.js';
import { readClassifierHeader } from './classifier_file.js';
import { fileRefusal, RECOGNITION_BYTES } from './file_refusal.js';
import { decodeMetadata } from './metadata.js';
import { type FoundFile, type ModelFolder, readBeginning } from './model_folder.js';
import { headerLength, LENGTH_BYTES } from './safetensors.js';

/** What can be told of a stored classifier without reading its weights. */
export interface StoredClassifierSummary extends FoundFile {
  /** Name of its network; empty where it cannot be read. */
  readonly type: string;
  readonly classCount: number;
  readonly step: number;
  /** Why it cannot be read; empty where it can. */
  readonly problem: string;
}

/** All files of the model folder, by name, those that cannot be read with the reason. The data's checksums are not checked. */
export async function listStoredClassifiers(folder: ModelFolder, precisions: readonly Precision[]): Promise<StoredClassifierSummary[]> {
  const summaries: StoredClassifierSummary[] = [];
  // One after the other: a folder of many files must not open them all at once.
  for (const file of await folder.list()) summaries.push(await summarize(file, precisions));
  return summaries;
}

async function summarize(file: FoundFile, precisions: readonly Precision[]): Promise<StoredClassifierSummary> {
  let beginning: Uint8Array = new Uint8Array();
  try {
    beginning = await readBeginning(file.path, RECOGNITION_BYTES);
    const length = headerLength(beginning, file.bytes);
    beginning = await readBeginning(file.path, LENGTH_BYTES + length);
    const header = await readClassifierHeader(beginning.subarray(LENGTH_BYTES), file.bytes - LENGTH_BYTES - length, file.fileName);
    const { network, settings, step } = decodeMetadata(header.metadata, precisions);
    return { ...file, type: network.name, classCount: settings.classes.length, step, problem: '' };
  } catch (error) {
    const refusal = fileRefusal(file.fileName, beginning, error);
    const problem = refusal instanceof Refusal ? refusal.message : 'it cannot be opened';
    return { ...file, type: '', classCount: 0, step: 0, problem };
  }
}
