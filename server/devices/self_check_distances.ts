import type { Tensor } from '../../native/binding.js';
import type { Outcome } from './self_check_trial.js';

/** How far an outcome is from another one: of each kind of value the worst. 0: equal. */
export interface Distances {
  /** Relative. */
  readonly loss: number;
  /** Relative; of the whole gradient. */
  readonly gradientNorm: number;
  /** Largest difference. */
  readonly confidences: number;
  /** What the steps changed in each tensor of weights, biases and statistics: |difference| / |change|. */
  readonly update: number;
  /** Each part of the solver's state, in the same way. */
  readonly solverState: number;
}

/** A tensor that hardly changes is measured by the largest change of its kind times this. */
const LEAST_SHARE = 0.05;

export function distances(outcome: Outcome, reference: Outcome): Distances {
  const role = (tensor: Tensor) => (isState(tensor) ? 'state' : tensor.role === 'statistic' ? 'statistic' : 'weight');
  const changes = (kind: string) => worst(outcome, reference, (tensor) => role(tensor) === kind);
  return {
    loss: relative(outcome.losses, reference.losses),
    gradientNorm: relative(outcome.gradientNorms, reference.gradientNorms),
    confidences: largest(outcome.confidences.map((value, index) => Math.abs(value - (reference.confidences[index] ?? Number.NaN)))),
    update: largest([changes('weight'), changes('statistic')]),
    solverState: changes('state'),
  };
}

/** Whether all values of two snapshots are the same bits. */
export function sameBits(a: readonly Tensor[], b: readonly Tensor[]): boolean {
  const bits = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return a.length === b.length && a.every((tensor, index) => bits(tensor).equals(bits(b[index] as Tensor)));
}

function isState({ role }: Tensor): boolean {
  return role === 'momentum' || role === 'first_moment' || role === 'second_moment' || role === 'update_count';
}

function worst(outcome: Outcome, reference: Outcome, wanted: (tensor: Tensor) => boolean): number {
  const pairs = reference.after.flatMap((tensor, index) => {
    if (!wanted(tensor)) return [];
    const change = changeOf(reference, index);
    const other = changeOf(outcome, index);
    return [{ role: tensor.role, change: norm(change), difference: norm(change.map((value, i) => value - (other[i] ?? Number.NaN))) }];
  });
  return largest(
    pairs.map(({ role, change, difference }) => {
      const most = largest(pairs.filter((pair) => pair.role === role).map((pair) => pair.change));
      return difference / Math.max(change, LEAST_SHARE * most, Number.MIN_VALUE);
    }),
  );
}

function changeOf({ before, after }: Outcome, index: number): Float64Array {
  const earlier = before[index]?.data ?? [];
  return Float64Array.from(after[index]?.data ?? [], (value, i) => value - (earlier[i] ?? Number.NaN));
}

function relative(values: readonly number[], reference: readonly number[]): number {
  return largest(reference.map((value, index) => Math.abs((values[index] ?? Number.NaN) - value) / Math.abs(value)));
}

function norm(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

/** NaN where one of them is. */
function largest(values: Iterable<number>): number {
  let most = 0;
  for (const value of values) if (!(value <= most)) most = value;
  return most;
}
