import type { GpuInfo } from '../native/binding.js';
import { engineBinding } from '../native/index.js';
import { type Refusal, refuse } from './errors/refusal.js';

/** The GPUs of this machine, or one entry that says why there is none. */
export function gpus(): readonly GpuInfo[] {
  return engineBinding().gpus();
}

const ON_THE_CPU = "leave runtime at 'cpu', which trains as well";

/** Why classifiers cannot be on this GPU. */
export function gpuRefusal({ problem }: GpuInfo): Refusal {
  // The backend is there, but no release of it has been tested on a GPU: docs/cuda.md.
  if (problem === null) return refuse('NO_GPU', { problem: 'this version of the server computes on the CPU only', remedy: ON_THE_CPU });
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
