import type {
  ListClassifiersRequest,
  ListClassifiersResponse,
  OpenClassifier,
  StoredClassifier,
} from '../../generated/dlclassifier/v1/classifier.js';
import type { Classifier } from '../classifier/classifier.js';
import type { OpenEntry } from '../handles/handle_table.js';
import { listStoredClassifiers, type StoredClassifierSummary } from '../store/stored_classifiers.js';
import type { CallContext } from './context.js';

/** ListClassifiers: what is stored and what is open. */
export async function listClassifiers(_request: ListClassifiersRequest, { server }: CallContext): Promise<ListClassifiersResponse> {
  const stored = await listStoredClassifiers(server.folder, server.devices.cpu.precisions);
  return { stored: stored.map(toStored), open: server.handles.open('classifier').map(toOpen) };
}

function toStored({ fileName, bytes, modified, type, classCount, step, problem }: StoredClassifierSummary): StoredClassifier {
  return { fileName, sizeBytes: BigInt(bytes), modified, type, classCount, step: BigInt(step), problem };
}

function toOpen({ value, created, lastUsed }: OpenEntry<Classifier>): OpenClassifier {
  const { network, state, step, memoryBytes, device } = value;
  const { runtime, index: deviceIndex } = device;
  return { type: network.name, state, step: BigInt(step), created, lastUsed, memoryBytes: BigInt(memoryBytes), runtime, deviceIndex };
}
