import type { ReadClassifierRequest, ReadClassifierResponse } from '../../generated/dlclassifier/v1/classifier.js';
import type { Classifier } from '../classifier/classifier.js';
import { drawSeed } from '../classifier/classifier_factory.js';
import { refuse } from '../errors/refusal.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { networks, parseFileName } from '../networks/index.js';
import type { ServerState } from '../state.js';
import { deserializeClassifier } from '../store/classifier_file.js';
import { pretrainedRefusal, readPretrainedWeights } from '../store/pretrained_weights.js';
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
    case 'unknown_network': {
      const known = networks.map(({ name }) => name).join(', ');
      const problem = `this server has no network ${JSON.stringify(reference.name)}; it has ${known}`;
      throw refuse('FILE_NOT_FOUND', { file_name: fileName, problem });
    }
    case 'stored':
      return readStored(fileName, server);
  }
}

async function readNetwork(
  network: NetworkDefinition,
  fileName: string,
  pretrained: boolean,
  seed: bigint,
  { folder, classifiers }: ServerState,
): Promise<Classifier> {
  const source = network.pretrained;
  if (source === null || !pretrained) return classifiers.fresh(network, seed);
  const tensors = await readPretrainedWeights(folder, fileName, source);
  return classifiers.pretrained(network, seed, tensors, (problem) => pretrainedRefusal(source, problem));
}

async function readStored(name: string, { folder, classifiers, engine }: ServerState): Promise<Classifier> {
  const { fileName, bytes } = await folder.read(name);
  const record = await deserializeClassifier(bytes, fileName, engine.info.precisions);
  return classifiers.stored(record, (problem) => refuse('FILE_DAMAGED', { file_name: fileName, problem }));
}
