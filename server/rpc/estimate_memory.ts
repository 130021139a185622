import { type EstimateMemoryRequest, type EstimateMemoryResponse, MemoryPurpose } from '../../generated/dlclassifier/v1/memory.js';
import type { MemoryPlan } from '../../native/binding.js';
import { defaultsOn } from '../classifier/classifier_factory.js';
import { engineRefusal } from '../classifier/engine_refusal.js';
import { largestBatchSize } from '../classifier/largest_batch_size.js';
import { LARGEST_PLANNED_BATCH, neededBytes } from '../classifier/memory_estimator.js';
import { classCount } from '../classifier/plan.js';
import type { Device } from '../devices/device.js';
import { refuse } from '../errors/refusal.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { parseFileName } from '../networks/index.js';
import { draftSettings } from '../parameters/registry.js';
import type { Settings } from '../parameters/settings.js';
import type { ServerState } from '../state.js';
import type { CallContext } from './context.js';
import { toMemoryDescription } from './memory_description.js';
import { fromNamedValues } from './values.js';

const MAXIMUM_CLASS_COUNT = 16_777_216;

/** EstimateMemory: what training and applying would need, and the largest batch size that fits, before anything is allocated. */
export async function estimateMemory(request: EstimateMemoryRequest, { server }: CallContext): Promise<EstimateMemoryResponse> {
  await server.devices.checked;
  const { network, settings, available } = await subjectOf(request, server);
  const needed = purposeBytes(request.purpose);
  const { initializeRuntime: _, ...wanted } = draftSettings(settings, request.params.map(fromNamedValues), {
    network,
    devices: server.devices,
  });
  const device = server.devices.at(wanted);
  const { estimator } = device;
  const classes = classesOf(request, network, settings, wanted);
  const budget = request.budgetBytes === undefined ? available(device) : Number(request.budgetBytes);

  let largest = 0;
  // More than can be counted.
  const refusal = async (bytes: number) => refuse('DEVICE_MEMORY_EXHAUSTED', { largest_batch_size: largest, bytes });
  try {
    const cost = estimator.cost(network, wanted, needed, classes);
    largest = await largestBatchSize(cost, budget, LARGEST_PLANNED_BATCH);
    if (wanted.batchSize > LARGEST_PLANNED_BATCH) throw await refusal(wanted.batchSize * cost.imageBytes);
    const plan = await estimator.plan(network, wanted, classes);
    return {
      memory: toMemoryDescription(plan),
      bytes: BigInt(needed(plan)),
      batchSize: wanted.batchSize,
      budgetBytes: BigInt(budget),
      largestBatchSize: largest,
    };
  } catch (error) {
    throw await engineRefusal(error, ({ bytes }) => refusal(bytes));
  }
}

interface Subject {
  readonly network: NetworkDefinition;
  readonly settings: Settings;
  /** Bytes that the server's limit leaves for it on a device. */
  readonly available: (device: Device) => number;
}

async function subjectOf({ subject }: EstimateMemoryRequest, { handles, devices }: ServerState): Promise<Subject> {
  if (subject === undefined) throw refuse('INVALID_REQUEST', { field: 'subject', problem: 'give network or classifier' });
  if (subject.$case === 'classifier') {
    const classifier = handles.get('classifier', subject.value);
    classifier.expectUsable();
    return { network: classifier.network, settings: classifier.settings, available: (device) => classifier.availableBytes(device) };
  }
  const reference = parseFileName(subject.value);
  if (reference.kind !== 'network') {
    const problem = 'no network of this name; for a stored classifier read it and give its handle';
    throw refuse('FILE_NOT_FOUND', { file_name: subject.value, problem });
  }
  const settings = defaultsOn(await devices.preferred(), reference.network);
  return { network: reference.network, settings, available: ({ memory }) => memory.availableFor(null) };
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
