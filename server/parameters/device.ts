import type { Precision } from '../../native/binding.js';
import { type Refusal, refuse } from '../errors/refusal.js';
import { type Agreement, type ParameterDefinition, parameter } from './definition.js';
import { samePlace } from './device_choice.js';
import type { Runtime } from './settings.js';

/** Where and how is computed. */
export const deviceParameters: readonly ParameterDefinition[] = [
  parameter({
    name: 'runtime',
    type: 'string',
    range: "'cpu' or 'gpu'",
    default: "'gpu' where one is usable, else 'cpu'",
    documentation:
      'Kind of the device, for training and for applying. Another device takes the classifier over as it is, weights, statistics and the ' +
      "solver's state, or the set is refused and nothing has moved: with DEVICE_MEMORY_EXHAUSTED where it does not fit there, with NO_GPU, " +
      'CUDNN_MISSING or CUBLAS_MISSING where no such GPU is usable. GetServerInfo lists the devices.',
    get: ({ settings }) => [settings.runtime],
    admits: (value) => value === 'cpu' || value === 'gpu',
    set: (draft, [value]) => {
      draft.runtime = value as Runtime;
    },
    agree: (draft, _before, _assigned, { devices }) => {
      const refusal = devices.refusal(draft);
      if (refusal !== null) throw refusal;
    },
  }),
  parameter({
    name: 'gpu',
    type: 'int',
    range: 'the index of a GPU, as GetServerInfo lists them',
    default: 'the first that is usable, else 0',
    documentation:
      "Index of the GPU. It has no effect as long as runtime is 'cpu'; where runtime is 'gpu' another index moves the classifier.",
    get: ({ settings }) => [BigInt(settings.gpu)],
    admits: (value, { devices }) => value >= 0n && value < BigInt(devices.gpuCount),
    outOfRange: (got, { devices }) => refuse('WRONG_VALUE', { name: 'gpu', got, wanted: indices(devices.gpuCount) }),
    set: (draft, [value]) => {
      draft.gpu = Number(value);
    },
  }),
  parameter({
    name: 'runtime_init',
    type: 'string',
    range: "'immediately'",
    documentation:
      "With 'immediately' all memory that training and applying need is allocated at the end of the call, not at the first step.",
    admits: (value) => value === 'immediately',
    set: (draft) => {
      draft.initializeRuntime = true;
    },
  }),
  parameter({
    name: 'precision',
    type: 'string',
    range: "one that GetServerInfo lists for the device: 'float32', 'bfloat16' or, on a GPU only, 'tf32'",
    default: "'float32' on the CPU, on a GPU 'tf32' where it has that",
    documentation:
      'Arithmetic of convolutions and fully connected layers. Weights, batch-norm statistics, loss and update are float32 in any case. Where ' +
      'runtime or gpu move a classifier, the default of the one device becomes that of the other; another precision stays, and where the ' +
      'other device does not have it the move is refused with WRONG_VALUE: set both in one call.',
    get: ({ settings }) => [settings.precision],
    admits: (value) => value === 'float32' || value === 'tf32' || value === 'bfloat16',
    outOfRange: (got, { devices }) => wrongPrecision(got, devices.precisions({ runtime: 'cpu', gpu: 0 })),
    set: (draft, [value]) => {
      draft.precision = value as Precision;
    },
    agree: precisionOfDevice,
  }),
  parameter({
    name: 'deterministic',
    type: 'bool',
    range: 'true or false',
    default: 'false',
    documentation: 'Whether repeated runs are equal bit for bit on the same machine with the same number of threads.',
    get: ({ settings }) => [settings.deterministic],
    set: (draft, [value]) => {
      draft.deterministic = value ?? draft.deterministic;
    },
  }),
];

function precisionOfDevice(...[draft, before, assigned, { devices }]: Parameters<Agreement>): void {
  const moves = !samePlace(draft, before);
  if (moves && !assigned.has('precision') && draft.precision === devices.defaultPrecision(before)) {
    draft.precision = devices.defaultPrecision(draft);
  }
  const precisions = devices.precisions(draft);
  if (precisions.includes(draft.precision)) return;
  throw wrongPrecision(draft.precision, precisions, assigned.has('precision') ? '' : ' in the same call');
}

function wrongPrecision(got: string, precisions: readonly Precision[], where = ''): Refusal {
  return refuse('WRONG_VALUE', { name: 'precision', got, wanted: `${precisions.join(' or ')}${where}` });
}

function indices(count: number): string {
  return count === 1 ? '0' : `an index from 0 to ${count - 1}`;
}
