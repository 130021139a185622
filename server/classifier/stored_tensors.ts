import type { Solver, SolverTensorRole, Tensor, TensorInfo } from '../../native/binding.js';
import type { StoredTensor } from '../store/classifier_record.js';

/** What the names of a solver's state begin with; the name of the tensor follows. */
const STATE_PREFIXES: Readonly<Record<SolverTensorRole, string>> = {
  momentum: 'momentum/',
  first_moment: 'adam_first_moment/',
  second_moment: 'adam_second_moment/',
  update_count: 'adam_updates/',
};

const STATE_ROLES: Readonly<Record<Solver, readonly SolverTensorRole[]>> = {
  sgd: ['momentum'],
  adam: ['first_moment', 'second_moment', 'update_count'],
};

/** What a file must hold beside weights and statistics: the state of a solver, or `weights`: nothing, as other programs write them. */
export type Completeness = Solver | 'weights';

/** A tensor of the engine under the name that a file gives it. */
export function toStored({ name, role, shape, data }: Tensor): StoredTensor {
  const prefix = Object.hasOwn(STATE_PREFIXES, role) ? STATE_PREFIXES[role as SolverTensorRole] : '';
  return { name: prefix + name, shape, data };
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
    const state = STATE_ROLES[completeness].map((part) => {
      return { storedName: STATE_PREFIXES[part] + name, name, role: part, shape: part === 'update_count' ? [] : shape };
    });
    return [values, ...state];
  });
}
