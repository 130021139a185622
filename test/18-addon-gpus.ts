import test from 'ava';
import type { EngineReason } from '../native/index.js';
import { engineBinding, isEngineError } from '../native/index.js';

// Other tests are to be the same where there is a GPU; these are about it.
delete process.env.DL_CLASSIFIER_CUDA_BACKEND;
const { Engine, gpus } = engineBinding();

/** Why a GPU may be unusable. */
const PROBLEMS: readonly EngineReason[] = ['NO_GPU', 'CUDNN_MISSING', 'CUBLAS_MISSING'];

test('each GPU tells what it is or why it cannot be used; without one there is one entry that says why', (t) => {
  const found = gpus();
  t.true(found.length > 0);
  for (const { deviceName, memoryBytes, precisions, libraries, problem } of found) {
    if (problem === null) {
      t.not(deviceName, '');
      t.true(memoryBytes > 0);
      t.true(precisions.includes('float32'));
      t.true(libraries.some((library) => library.startsWith('cuDNN ')));
    } else {
      t.true(isEngineError(problem) && PROBLEMS.includes(problem.reason));
      const { remedy, library } = problem.metadata;
      t.truthy(remedy);
      if (problem.reason !== 'NO_GPU') t.truthy(library);
    }
  }
});

test('an engine on a GPU that cannot be used throws why', (t) => {
  const [first] = gpus();
  if (first === undefined || first.problem === null) {
    t.pass('this machine has a usable GPU');
    return;
  }
  const error = t.throws(() => new Engine({ gpu: 0, threads: null, queueLength: 1 }));
  t.like(error, { name: 'EngineError', reason: first.problem.reason, message: first.problem.message });
});

test('an index that is none is refused', (t) => {
  for (const gpu of [-1, 0.5, 'first'] as never[]) {
    t.like(
      t.throws(() => new Engine({ gpu, threads: null, queueLength: 1 })),
      { reason: 'INVALID_ARGUMENT' },
    );
  }
});
