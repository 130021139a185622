import { refuse } from '../errors/refusal.js';
import type { PretrainedWeights } from '../networks/definition.js';
import type { ModelFolder } from '../store/model_folder.js';
import { readWeights, type WeightTensor } from './weight_tensor.js';

/** What refusals and answers call the file. */
export function pretrainedPath({ fileName }: PretrainedWeights): string {
  return `pretrained/${fileName}`;
}

/**
 * Trained weights from the model folder's `pretrained`, where ImportWeights puts them, or the user; that they are the network's is for
 * the caller to check.
 *
 * @throws Refusal FILE_NOT_FOUND, which says which file to get and what to do with it; FILE_NOT_OURS
 */
export async function readPretrainedWeights(folder: ModelFolder, fileName: string, source: PretrainedWeights): Promise<WeightTensor[]> {
  const bytes = await folder.readPretrained(source.fileName);
  if (bytes === null) {
    const problem = `this server has no trained weights for it, which would be ${pretrainedPath(source)} in its model folder`;
    throw refuse('FILE_NOT_FOUND', { file_name: fileName, problem, remedy: source.remedy });
  }
  return readWeights(bytes, pretrainedPath(source), source.remedy);
}
