import type { MemoryDescription } from '../../generated/dlclassifier/v1/classifier.js';
import type { MemoryPlan } from '../../native/binding.js';

/** A plan's memory as the contract has it. */
export function toMemoryDescription({ parameterBytes, trainingBytes, inferenceBytes }: MemoryPlan): MemoryDescription {
  return {
    parametersBytes: BigInt(parameterBytes),
    trainingBytes: BigInt(trainingBytes),
    inferenceBytes: BigInt(inferenceBytes),
  };
}
