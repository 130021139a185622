import { refuse } from '../errors/refusal.js';
import type { PretrainedWeights } from '../networks/definition.js';
import type { StoredTensor } from './classifier_record.js';
import { readFloat32Tensors } from './float32_tensors.js';
import type { ModelFolder } from './model_folder.js';
import { headerLength, LENGTH_BYTES, parseHeader, SafetensorsProblem } from './safetensors.js';

/** torchvision's count of the batches that a batch norm has seen; nothing is computed from it. */
const BATCH_COUNT = /\.num_batches_tracked$/;

/**
 * Trained weights from the model folder's `pretrained`; that they are all the network's is for the caller to check.
 *
 * @throws Refusal FILE_NOT_FOUND, which says how to get them, FILE_NOT_OURS
 */
export async function readPretrainedWeights(folder: ModelFolder, fileName: string, source: PretrainedWeights): Promise<StoredTensor[]> {
  const bytes = await folder.readPretrained(source.fileName);
  if (bytes === null) {
    const problem = `this server has no trained weights for it, which would be pretrained/${source.fileName} in its model folder`;
    throw refuse('FILE_NOT_FOUND', { file_name: fileName, problem, remedy: source.remedy });
  }
  try {
    const length = headerLength(bytes, bytes.byteLength);
    const data = bytes.subarray(LENGTH_BYTES + length);
    const header = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), data.byteLength);
    const ranges = header.tensors.filter(({ name }) => !BATCH_COUNT.test(name));
    return await readFloat32Tensors(ranges, data);
  } catch (error) {
    if (!(error instanceof SafetensorsProblem)) throw error;
    throw pretrainedRefusal(source, error.message);
  }
}

/** What pretrained weights are refused with that do not fit. */
export function pretrainedRefusal(source: PretrainedWeights, problem: string): Error {
  return refuse('FILE_NOT_OURS', { file_name: `pretrained/${source.fileName}`, problem, remedy: source.remedy });
}
