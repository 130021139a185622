import type { ImportWeightsHeader, ImportWeightsRequest, ImportWeightsResponse } from '../../generated/dlclassifier/v1/weights.js';
import { drawSeed } from '../classifier/classifier_factory.js';
import { toStored } from '../classifier/stored_tensors.js';
import { refuse } from '../errors/refusal.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { networkByFileName } from '../networks/index.js';
import { type Assignment, draftSettings } from '../parameters/registry.js';
import { defaultSettings, type Settings } from '../parameters/settings.js';
import type { ServerState } from '../state.js';
import { encodeTensorFile, type SerializedClassifier, serializeClassifier } from '../store/classifier_file.js';
import { fileNameToWrite } from '../store/file_name.js';
import type { UploadMessages } from '../upload/messages.js';
import { receiveUpload } from '../upload/receive.js';
import { admitWhole, type WholeUpload } from '../upload/whole.js';
import { fitWeights, isForGrey, layerOfOtherSize, type WeightsFit } from '../weights/fit.js';
import { type LoadedWeights, loadWeights } from '../weights/load.js';
import { pretrainedPath } from '../weights/pretrained.js';
import { readWeights, type WeightTensor } from '../weights/weight_tensor.js';
import type { CallContext } from './context.js';

/** What an admitted header asks for. */
interface Order {
  readonly network: NetworkDefinition;
  /** Of the classifier to store; null where the weights become the network's trained weights. */
  readonly fileName: string | null;
  readonly settings: Settings;
  readonly seed: bigint;
  /** Whether the caller named the image size: then it may be any. */
  readonly sized: boolean;
  /** The caller's file, for refusals. */
  readonly source: string;
}

/** ImportWeights: weights of other programs, as a network's trained weights or as a stored classifier. */
export async function importWeights(messages: UploadMessages<ImportWeightsRequest>, context: CallContext): Promise<ImportWeightsResponse> {
  const { server } = context;
  const upload = await receiveUpload(messages, (header) => admit(header, server), context);
  try {
    const file = await readWeights(upload.bytes, upload.order.source);
    if (upload.order.sized) await server.classifiers.expectOneImageFits(upload.order.network, upload.order.settings);
    const order = await withChannelsOf(file, upload.order, server);
    const { network, settings, source } = order;
    const remedy = (misfit: WeightsFit) => otherSizeRemedy(misfit, settings);
    const loaded = await loadWeights(await server.classifiers.wantedWeights(network, settings), file, source, remedy);
    const { fit } = loaded;
    return {
      ...(await store(order, loaded, server)),
      tensorCount: loaded.tensors.length,
      naming: fit.naming,
      reinitializedLayers: fit.head.length > 0 ? [network.classLayer] : [],
      fileClassCount: fit.fileClassCount,
      classCount: fit.classCount,
    };
  } finally {
    upload.sink.close();
  }
}

/** Where it is the image size that weights do not fit. */
function otherSizeRemedy(fit: WeightsFit, { imageWidth, imageHeight }: Settings): string | undefined {
  const layer = layerOfOtherSize(fit);
  if (layer === null) return undefined;
  const size = `${imageWidth} x ${imageHeight}`;
  return `${layer} was trained for images of another size than ${size}: import the weights as a stored classifier with image_width and image_height (dlc import --name --size)`;
}

function admit(header: ImportWeightsHeader, server: ServerState): WholeUpload & { order: Order } {
  const order = readOrder(header, server);
  return { ...admitWhole(header.totalBytes, server), order };
}

function readOrder(header: ImportWeightsHeader, { devices }: ServerState): Order {
  const { network: name, fileName, classes, seed, source } = header;
  const network = networkByFileName(name);
  const size = sizeAssignments(header);
  const order = { network, seed: seed ?? drawSeed(), sized: size.length > 0, source: source === '' ? 'the file' : source };
  if (fileName === '') {
    if (network.pretrained === null) {
      const problem = `${network.name} has fresh weights only; name a classifier to store, and read that`;
      throw refuse('INVALID_REQUEST', { field: 'file_name', problem });
    }
    const problem = 'trained weights have no classes; name a classifier to store, or set the classes when it is read';
    if (classes.length > 0) throw refuse('INVALID_REQUEST', { field: 'classes', problem });
    const [sized] = size;
    if (sized !== undefined) throw refuse('INVALID_REQUEST', { field: sized.name, problem: OF_DEFAULT_SIZE });
    return { ...order, fileName: null, settings: defaultSettings(network) };
  }
  const assignments = classes.length > 0 ? [{ name: 'classes', values: classes }, ...size] : size;
  const { initializeRuntime: _, ...settings } = draftSettings(defaultSettings(network), assignments, { network, devices });
  return { ...order, fileName: fileNameToWrite(fileName), settings };
}

const OF_DEFAULT_SIZE = "trained weights are for the network's default image size; name a classifier to store";

/** The parameters of the image size that the header names. */
function sizeAssignments({ imageWidth, imageHeight }: ImportWeightsHeader): Assignment[] {
  return [
    { name: 'image_width', values: [BigInt(imageWidth)] },
    { name: 'image_height', values: [BigInt(imageHeight)] },
  ].filter(({ values: [pixels] }) => pixels !== 0n);
}

/** A classifier has the channels of the weights that it is made of. A network's trained weights are for colour, as the network is read. */
async function withChannelsOf(file: readonly WeightTensor[], order: Order, { classifiers }: ServerState): Promise<Order> {
  if (order.fileName === null) return order;
  const inColour = fitWeights(await classifiers.wantedWeights(order.network, order.settings), file);
  return isForGrey(inColour) ? { ...order, settings: { ...order.settings, imageChannels: 1 } } : order;
}

async function store(order: Order, loaded: LoadedWeights, server: ServerState): Promise<{ fileName: string; sizeBytes: bigint }> {
  const { pretrained } = order.network;
  if (order.fileName !== null) {
    const serialized = await asClassifier(order, loaded, server);
    await server.folder.write(order.fileName, serialized);
    return { fileName: order.fileName, sizeBytes: BigInt(serialized.totalBytes) };
  }
  if (pretrained === null) throw new Error(`${order.network.name} has no trained weights`);
  // With the last layer as the file has it: it is dropped when the network is read.
  const tensors = [...loaded.tensors, ...loaded.head].map(toStored);
  const encoded = encodeTensorFile(new Map([['format', 'pt']]), tensors, 0);
  await server.folder.writePretrained(pretrained.fileName, encoded);
  return { fileName: pretrainedPath(pretrained), sizeBytes: BigInt(encoded.totalBytes) };
}

async function asClassifier(
  { network, settings, seed }: Order,
  { tensors }: LoadedWeights,
  { classifiers, devices }: ServerState,
): Promise<SerializedClassifier> {
  const classifier = await classifiers.pretrained(network, settings, seed, tensors, devices.cpu);
  try {
    return await serializeClassifier(await classifier.toRecord());
  } finally {
    await classifier.close();
  }
}
