import type { Tensor, TensorInfo } from '../../native/binding.js';
import type { StoredTensor } from '../store/classifier_record.js';

const MOMENTUM_PREFIX = 'momentum/';

/** What a file must hold: `complete` all that a stored classifier has, `weights` all but momentum, as other programs write them. */
export type Completeness = 'complete' | 'weights';

/** A tensor of the engine under the name that a file gives it. */
export function toStored({ name, role, shape, data }: Tensor): StoredTensor {
  return { name: role === 'momentum' ? MOMENTUM_PREFIX + name : name, shape, data };
}

/** The stored tensors as the engine takes them: exactly those of the model, each of its shape. Else a sentence that says which does not fit. */
export function matchTensors(model: readonly TensorInfo[], stored: readonly StoredTensor[], completeness: Completeness): Tensor[] | string {
  const unused = new Map(stored.map((tensor) => [tensor.name, tensor]));
  const matched: Tensor[] = [];
  for (const { storedName, name, role, shape } of wantedTensors(model, completeness)) {
    const tensor = unused.get(storedName);
    if (tensor === undefined) return `the tensor ${JSON.stringify(storedName)} is missing`;
    if (tensor.shape.join() !== shape.join()) {
      return `the tensor ${JSON.stringify(storedName)} has the shape (${tensor.shape.join(', ')}), the network's is (${shape.join(', ')})`;
    }
    unused.delete(storedName);
    matched.push({ name, role, shape, data: tensor.data });
  }
  const [surplus] = unused.keys();
  return surplus === undefined ? matched : `the network has no tensor ${JSON.stringify(surplus)}`;
}

interface WantedTensor extends Pick<Tensor, 'name' | 'role' | 'shape'> {
  readonly storedName: string;
}

function wantedTensors(model: readonly TensorInfo[], completeness: Completeness): WantedTensor[] {
  return model.flatMap(({ name, role, shape }) => {
    const values: WantedTensor = { storedName: name, name, role, shape };
    if (completeness === 'weights' || role === 'statistic') return [values];
    return [values, { storedName: MOMENTUM_PREFIX + name, name, role: 'momentum', shape }];
  });
}
