import type { Precision, Tensor } from '../../native/binding.js';
import type { Device } from './device.js';
import { type Distances, distances, sameBits } from './self_check_distances.js';
import { runTrial, type Trial } from './self_check_trial.js';

/** What a self-check found. */
export interface SelfCheck {
  /** What differs from the CPU by more than it may, in a sentence each; empty where the device computes as it should. */
  readonly problems: readonly string[];
  /** By precision and solver, for the log. */
  readonly distances: Readonly<Record<string, Distances>>;
}

/**
 * How far a device may be from the CPU in float32. Rounding to 24, 11 and 8 bits moves the values that ReLU and pooling choose by, so a few
 * gradients go another way: the bounds are some times what was measured on backends that are right. What is computed wrongly is off by far more.
 */
const BOUNDS: Readonly<Record<Precision, Distances>> = {
  float32: { loss: 1e-4, gradientNorm: 1e-3, confidences: 1e-3, update: 0.01, solverState: 0.01 },
  tf32: { loss: 2e-3, gradientNorm: 0.02, confidences: 0.01, update: 0.1, solverState: 0.1 },
  bfloat16: { loss: 0.02, gradientNorm: 0.1, confidences: 0.05, update: 0.4, solverState: 0.4 },
};

/**
 * Trains and applies a small network on the device in each of its precisions and compares with the CPU: loss, gradients, update, statistics,
 * the solver's state, confidences, and that values come back as they went there.
 *
 * @throws what the device's engine throws
 */
export async function selfCheck(device: Device, cpu: Device): Promise<SelfCheck> {
  const problems: string[] = [];
  const found: Record<string, Distances> = {};
  const inFloat32 = { precision: 'float32', deterministic: true } as const;
  const sgd = await runTrial(cpu, { ...inFloat32, solver: 'sgd' }, null);
  const adam = await runTrial(cpu, { ...inFloat32, solver: 'adam' }, weightsOf(sgd.before));
  const trials: Trial[] = device.precisions.map((precision) => ({ precision, deterministic: false, solver: 'sgd' }));
  for (const trial of [...trials, { ...inFloat32, solver: 'sgd' }, { ...inFloat32, solver: 'adam' }] as const) {
    const reference = trial.solver === 'adam' ? adam : sgd;
    const outcome = await runTrial(device, trial, weightsOf(reference.before));
    const what = `${trial.precision}, ${trial.solver}${trial.deterministic ? ', deterministic' : ''}`;
    if (!sameBits(outcome.before, reference.before)) problems.push(`${what}: weights do not come back as they went there`);
    const measured = distances(outcome, reference);
    found[what] = measured;
    problems.push(...beyond(measured, BOUNDS[trial.precision]).map((difference) => `${what}: ${difference}`));
    if (!trial.deterministic) continue;
    const again = await runTrial(device, trial, weightsOf(reference.before));
    if (!sameBits(again.after, outcome.after)) problems.push(`${what}: a repetition does not give the same bits`);
  }
  return { problems, distances: found };
}

function beyond(measured: Distances, bounds: Distances): string[] {
  return (Object.keys(bounds) as (keyof Distances)[])
    .filter((kind) => !(measured[kind] <= bounds[kind]))
    .map((kind) => `${NAMES[kind]} is off by ${measured[kind].toPrecision(2)}, at most ${bounds[kind]} is expected`);
}

const NAMES: Readonly<Record<keyof Distances, string>> = {
  loss: 'the loss',
  gradientNorm: "the gradient's norm",
  confidences: 'a confidence',
  update: 'the update',
  solverState: "the solver's state",
};

/** Without the solver's state, which begins at 0. */
function weightsOf(tensors: readonly Tensor[]): readonly Tensor[] {
  return tensors.filter(({ role }) => role === 'weight' || role === 'bias' || role === 'statistic');
}
