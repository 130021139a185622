import type { Precision } from '../../native/binding.js';
import { refuse } from '../errors/refusal.js';
import { gpuRefusal, gpus } from '../gpus.js';
import { type ParameterDefinition, parameter } from './definition.js';

/** Where and how is computed. */
export const deviceParameters: readonly ParameterDefinition[] = [
  parameter({
    name: 'runtime',
    type: 'string',
    range: "'cpu' or 'gpu'",
    default: "'cpu'",
    documentation:
      "Kind of the device, for training and for applying. 'gpu' is refused with NO_GPU, CUDNN_MISSING or CUBLAS_MISSING where none is usable; " +
      'GetServerInfo lists the devices.',
    get: () => ['cpu'],
    admits: (value) => value === 'cpu' || value === 'gpu',
    set: (_draft, [value]) => {
      const [gpu] = gpus();
      if (value === 'gpu' && gpu !== undefined) throw gpuRefusal(gpu);
    },
  }),
  parameter({
    name: 'gpu',
    type: 'int',
    range: '0',
    default: '0',
    documentation: 'Index of the GPU. Without a GPU it is 0 and has no effect.',
    get: () => [0n],
    admits: (value) => value === 0n,
    set: () => {},
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
    default: "'float32' on the CPU",
    documentation:
      'Arithmetic of convolutions and fully connected layers. Weights, batch-norm statistics, loss and update are float32 in any case.',
    get: ({ settings }) => [settings.precision],
    admits: (value, environment) => environment.precisions.includes(value),
    outOfRange: (got, { precisions }) => refuse('WRONG_VALUE', { name: 'precision', got, wanted: precisions.join(' or ') }),
    set: (draft, [value]) => {
      draft.precision = value as Precision;
    },
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
