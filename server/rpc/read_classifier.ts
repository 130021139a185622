import type { ReadClassifierRequest, ReadClassifierResponse } from '../../generated/dlclassifier/v1/classifier.js';
import type { Classifier } from '../classifier/classifier.js';
import { defaultsOn, drawSeed } from '../classifier/classifier_factory.js';
import { refuse } from '../errors/refusal.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { parseFileName, unknownNetwork } from '../networks/index.js';
import type { ServerState } from '../state.js';
import { deserializeClassifier } from '../store/classifier_file.js';
import { loadWeights } from '../weights/load.js';
import { pretrainedPath, readPretrainedWeights } from '../weights/pretrained.js';
import type { CallContext } from './context.js';

/** ReadClassifier: a network, or a classifier that was stored. */
export async function readClassifier(request: ReadClassifierRequest, { server, signal }: CallContext): Promise<ReadClassifierResponse> {
  return { classifier: await server.openClassifier(() => read(request, server), signal) };
}

async function read({ fileName, pretrained, seed }: ReadClassifierRequest, server: ServerState): Promise<Classifier> {
  const reference = parseFileName(fileName);
  switch (reference.kind) {
    case 'network':
      return readNetwork(reference.network, fileName, pretrained ?? true, seed ?? drawSeed(), server);
    case 'unknown_network':
      throw unknownNetwork(fileName, reference.name);
    case 'stored':
      return readStored(fileName, server);
  }
}

async function readNetwork(
  network: NetworkDefinition,
  fileName: string,
  pretrained: boolean,
  seed: bigint,
  { folder, classifiers, devices }: ServerState,
): Promise<Classifier> {
  const source = network.pretrained;
  const device = await devices.preferred();
  if (source === null || !pretrained) return classifiers.fresh(network, seed, device);
  const file = await readPretrainedWeights(folder, fileName, source);
  const settings = defaultsOn(device, network);
  const wanted = await classifiers.wantedWeights(network, settings);
  const { tensors } = await loadWeights(wanted, file, pretrainedPath(source), () => source.remedy);
  return classifiers.pretrained(network, settings, seed, tensors, device);
}

async function readStored(name: string, { folder, classifiers, devices }: ServerState): Promise<Classifier> {
  const { fileName, bytes } = await folder.read(name);
  const device = await devices.preferred();
  const record = await deserializeClassifier(bytes, fileName, device.precisions);
  return classifiers.stored(record, device, (problem) => refuse('FILE_DAMAGED', { file_name: fileName, problem }));
}
