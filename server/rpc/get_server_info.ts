import type {
  DeviceInfo,
  GetServerInfoRequest,
  GetServerInfoResponse,
  NetworkInfo,
  ServerLimits,
} from '../../generated/dlclassifier/v1/server_info.js';
import type { EngineInfo, GpuInfo } from '../../native/binding.js';
import type { Limits } from '../config.js';
import { gpuRefusal, gpus } from '../gpus.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { networks } from '../networks/index.js';
import { VERSION } from '../package_root.js';
import type { ModelFolder } from '../store/model_folder.js';
import type { CallContext } from './context.js';

/** GetServerInfo: what a caller can expect before it sends a batch. */
export async function getServerInfo(_request: GetServerInfoRequest, { server }: CallContext): Promise<GetServerInfoResponse> {
  return {
    version: VERSION,
    devices: [cpu(server.engine.info), ...gpus().map(gpu)],
    limits: toServerLimits(server.limits, server.memory.bytes),
    networks: await Promise.all(networks.map((network) => toNetworkInfo(network, server.folder))),
  };
}

function cpu(info: EngineInfo): DeviceInfo {
  return {
    runtime: 'cpu',
    index: 0,
    name: info.deviceName,
    usable: true,
    problem: '',
    threads: info.threads,
    memoryBytes: BigInt(info.memoryBytes),
    precisions: [...info.precisions],
    libraries: [...info.libraries],
  };
}

/** One that cannot be used is listed, too, so that a caller who looks for a GPU learns why. */
function gpu(info: GpuInfo, index: number): DeviceInfo {
  return {
    runtime: 'gpu',
    index,
    name: info.deviceName,
    usable: false,
    problem: gpuRefusal(info).message,
    threads: 0,
    memoryBytes: BigInt(info.memoryBytes),
    precisions: [...info.precisions],
    libraries: [...info.libraries],
  };
}

function toServerLimits(limits: Limits, memoryBytes: number): ServerLimits {
  return {
    messageBytes: BigInt(limits.messageBytes),
    uploadBytes: BigInt(limits.uploadBytes),
    applyImages: limits.applyImages,
    streamsPerConnection: limits.streamsPerConnection,
    connectionsPerPeer: limits.connectionsPerPeer,
    classifiers: limits.classifiers,
    handleIdleSeconds: limits.handleIdleSeconds,
    serializedBytes: BigInt(limits.serializedBytes),
    uploadBytesTotal: BigInt(limits.uploadBytesTotal),
    memoryBytes: BigInt(memoryBytes),
    transferIdleSeconds: limits.transferIdleSeconds,
  };
}

async function toNetworkInfo(network: NetworkDefinition, folder: ModelFolder): Promise<NetworkInfo> {
  return {
    name: network.name,
    minSize: network.minSize,
    defaultSize: network.defaultSize,
    defaultBatchSize: network.defaultBatchSize,
    defaultWeightPrior: network.defaultWeightPrior,
    resizeKeepsWeights: network.resizeKeepsWeights,
    description: network.description,
    pretrainedAvailable: network.pretrained !== null && (await folder.hasPretrained(network.pretrained.fileName)),
  };
}
