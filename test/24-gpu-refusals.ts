/** How the service refuses a GPU that the engine cannot use: with number, status and the way to mend what is missing. */
import { status } from '@grpc/grpc-js';
import test from 'ava';
import type { EngineError, EngineReason } from '../native/binding.js';
import { gpuRefusal } from '../server/devices/gpu_refusal.js';

function engineError(reason: EngineReason, metadata: Readonly<Record<string, string>>): EngineError {
  return Object.assign(new Error('no such library'), { name: 'EngineError', reason, metadata });
}

for (const [reason, number, library] of [
  ['CUDNN_MISSING', 7717, 'libcudnn.so.9'],
  ['CUBLAS_MISSING', 7718, 'libcublasLt.so.13'],
] as const) {
  test(`without ${library} the refusal has the number ${number}, and says how to get it`, (t) => {
    const problem = engineError(reason, { library, remedy: `install ${library}` });
    const refusal = gpuRefusal(problem);
    t.is(refusal.reason, reason);
    t.is(refusal.number, number);
    t.is(refusal.status, status.FAILED_PRECONDITION);
    t.false(refusal.retry);
    t.deepEqual(refusal.metadata, { library, remedy: `install ${library}` });
    t.true(refusal.message.includes(library));
    t.is(refusal.cause, problem);
  });
}

test('anything else that keeps a GPU from being used is 4204, with the CPU as the way out', (t) => {
  const refusal = gpuRefusal(engineError('NO_GPU', { remedy: 'install the driver' }));
  t.is(refusal.reason, 'NO_GPU');
  t.is(refusal.number, 4204);
  t.is(refusal.metadata.problem, 'no such library');
  t.regex(refusal.metadata.remedy ?? '', /^install the driver, or leave runtime at 'cpu'/);
});
