import { type EstimateMemoryRequest, type EstimateMemoryResponse, MemoryPurpose } from '../../generated/dlclassifier/v1/memory.js';
import type { MemoryPlan } from '../../native/binding.js';
import { engineRefusal } from '../classifier/engine_refusal.js';
import { largestBatchSize } from '../classifier/largest_batch_size.js';
import { LARGEST_PLANNED_BATCH, neededBytes } from '../classifier/memory.js';
import { classCount } from '../classifier/plan.js';
import { refuse } from '../errors/refusal.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { parseFileName } from '../networks/index.js';
import { draftSettings } from '../parameters/registry.js';
import { defaultSettings, type Settings } from '../parameters/settings.js';
import type { ServerState } from '../state.js';
import type { CallContext } from './context.js';
import { toMemoryDescription } from './memory_description.js';
import { fromNamedValues } from './values.js';

const MAXIMUM_CLASS_COUNT = 16_777_216;

/** EstimateMemory: what training and applying would need, and the largest batch size that fits, before anything is allocated. */
export async function estimateMemory(request: EstimateMemoryRequest, { server }: CallContext): Promise<EstimateMemoryResponse> {
  const { network, settings, available } = subjectOf(request, server);
  const needed = purposeBytes(request.purpose);
  const environment = { network, precisions: server.engine.info.precisions };
  const { initializeRuntime: _, ...wanted } = draftSettings(settings, request.params.map(fromNamedValues), environment);
  const classes = classesOf(request, network, settings, wanted);
  const budget = request.budgetBytes === undefined ? available : Number(request.budgetBytes);

  let largest = 0;
  // More than can be counted.
  const refusal = async (bytes: number) => refuse('DEVICE_MEMORY_EXHAUSTED', { largest_batch_size: largest, bytes });
  try {
    const cost = server.estimator.cost(network, wanted, needed, classes);
    largest = await largestBatchSize(cost, budget, LARGEST_PLANNED_BATCH);
    if (wanted.batchSize > LARGEST_PLANNED_BATCH) throw await refusal(wanted.batchSize * cost.imageBytes);
    const plan = await server.estimator.plan(network, wanted, classes);
    return {
      memory: toMemoryDescription(plan),
      bytes: BigInt(needed(plan)),
      batchSize: wanted.batchSize,
      budgetBytes: BigInt(budget),
      largestBatchSize: largest,
    };
  } catch (error) {
    throw await engineRefusal(error, refusal);
  }
}

interface Subject {
  readonly network: NetworkDefinition;
  readonly settings: Settings;
  /** Bytes that the server's limit leaves for it. */
  readonly available: number;
}

function subjectOf({ subject }: EstimateMemoryRequest, { handles, memory }: ServerState): Subject {
  if (subject === undefined) throw refuse('INVALID_REQUEST', { field: 'subject', problem: 'give network or classifier' });
  if (subject.$case === 'classifier') {
    const classifier = handles.get('classifier', subject.value);
    classifier.expectUsable();
    return { network: classifier.network, settings: classifier.settings, available: classifier.availableBytes };
  }
  const reference = parseFileName(subject.value);
  if (reference.kind !== 'network') {
    const problem = 'no network of this name; for a stored classifier read it and give its handle';
    throw refuse('FILE_NOT_FOUND', { file_name: subject.value, problem });
  }
  return { network: reference.network, settings: defaultSettings(reference.network), available: memory.availableFor(null) };
}

function purposeBytes(purpose: MemoryPurpose): (plan: MemoryPlan) => number {
  switch (purpose) {
    case MemoryPurpose.MEMORY_PURPOSE_UNSPECIFIED:
      return neededBytes;
    case MemoryPurpose.MEMORY_PURPOSE_TRAINING:
      return ({ parameterBytes, trainingBytes }) => parameterBytes + trainingBytes;
    case MemoryPurpose.MEMORY_PURPOSE_APPLYING:
      return ({ parameterBytes, inferenceBytes }) => parameterBytes + inferenceBytes;
    default:
      throw refuse('INVALID_REQUEST', { field: 'purpose', problem: 'give one of the purposes of the contract' });
  }
}

function classesOf({ classCount: asked }: EstimateMemoryRequest, network: NetworkDefinition, present: Settings, wanted: Settings): number {
  if (asked === undefined) return classCount(network, wanted);
  if (wanted.classes !== present.classes) {
    throw refuse('INVALID_REQUEST', { field: 'class_count', problem: 'classes are among params already; give one of the two' });
  }
  if (asked < 1 || asked > MAXIMUM_CLASS_COUNT) {
    throw refuse('WRONG_VALUE', { name: 'class_count', got: asked, wanted: `an integer from 1 to ${MAXIMUM_CLASS_COUNT}` });
  }
  return asked;
}
