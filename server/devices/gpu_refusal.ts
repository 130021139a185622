import type { EngineError } from '../../native/binding.js';
import { type Refusal, refuse } from '../errors/refusal.js';

const ON_THE_CPU = "leave runtime at 'cpu', which trains as well";

/** Why classifiers cannot be on a GPU that the engine cannot use. */
export function gpuRefusal(problem: EngineError): Refusal {
  const { library = '', remedy = ON_THE_CPU } = problem.metadata;
  switch (problem.reason) {
    case 'CUDNN_MISSING':
      return refuse('CUDNN_MISSING', { library, remedy }, { cause: problem });
    case 'CUBLAS_MISSING':
      return refuse('CUBLAS_MISSING', { library, remedy }, { cause: problem });
    default:
      return refuse('NO_GPU', { problem: problem.message, remedy: `${remedy}, or ${ON_THE_CPU}` }, { cause: problem });
  }
}

/** The same of a GPU that did not pass its self-check. */
export function failedCheckRefusal(problem: string, cause?: unknown): Refusal {
  const remedy = `update NVIDIA's driver and cuDNN, run scripts/gpu and report what it says, and ${ON_THE_CPU}`;
  return refuse('NO_GPU', { problem: `it does not compute as it should: ${problem}`, remedy }, { cause });
}
