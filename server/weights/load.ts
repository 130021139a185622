import type { Tensor } from '../../native/binding.js';
import { refuse } from '../errors/refusal.js';
import { type FittingTensor, fitWeights, type WantedWeights, type WeightsFit } from './fit.js';
import { toFloat32 } from './float32.js';
import { misfitRefusal } from './misfit_refusal.js';
import type { WeightTensor } from './weight_tensor.js';

/** Weights of another program as a network takes them. */
export interface LoadedWeights {
  readonly fit: WeightsFit;
  /** By the network's names and in its shapes: all tensors of the network, without the last layer where that has other classes. */
  readonly tensors: readonly Tensor[];
  /** The last layer with the file's classes where those are others; else empty. */
  readonly head: readonly Tensor[];
}

/**
 * @param fileName for the refusals
 * @param remedy what to do, for the refusals, where something special is known
 * @throws Refusal WEIGHTS_DO_NOT_FIT, which names all that does not fit; FILE_NOT_OURS of a value that is no finite number
 */
export async function loadWeights(
  wanted: WantedWeights,
  file: readonly WeightTensor[],
  fileName: string,
  remedy: (fit: WeightsFit) => string | undefined = () => undefined,
): Promise<LoadedWeights> {
  const fit = fitWeights(wanted, file);
  const refusal = misfitRefusal(fit, wanted.network, fileName, remedy(fit));
  if (refusal !== null) throw refusal;
  return { fit, tensors: await convert(fit.fitting, fileName), head: await convert(fit.head, fileName) };
}

async function convert(pairs: readonly FittingTensor[], fileName: string): Promise<Tensor[]> {
  const tensors: Tensor[] = [];
  // One after the other: two copies of all weights are enough.
  for (const { info, tensor } of pairs) {
    const data = await toFloat32(tensor.dtype, tensor.bytes);
    if (data === null) {
      const problem = `the tensor ${JSON.stringify(tensor.name)} holds NaN, infinity or a value beyond float32`;
      throw refuse('FILE_NOT_OURS', { file_name: fileName, problem, remedy: 'give weights that are finite numbers' });
    }
    tensors.push({ name: info.name, role: info.role, shape: tensor.shape, data });
  }
  return tensors;
}
