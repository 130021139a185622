import type {
  DeviceInfo,
  GetServerInfoRequest,
  GetServerInfoResponse,
  NetworkInfo,
  ServerLimits,
} from '../../generated/dlclassifier/v1/server_info.js';
import { VERSION } from '../../package/root.js';
import type { Limits } from '../config.js';
import type { ListedDevice } from '../devices/devices.js';
import type { NetworkDefinition } from '../networks/definition.js';
import { networks } from '../networks/index.js';
import type { ModelFolder } from '../store/model_folder.js';
import type { CallContext } from './context.js';

/** GetServerInfo: what a caller can expect before it sends a batch. */
export async function getServerInfo(_request: GetServerInfoRequest, { server }: CallContext): Promise<GetServerInfoResponse> {
  return {
    version: VERSION,
    devices: (await server.devices.list()).map(toDeviceInfo),
    limits: toServerLimits(server.limits, server.devices.cpu.memory.bytes),
    networks: await Promise.all(networks.map((network) => toNetworkInfo(network, server.folder))),
  };
}

function toDeviceInfo({ place, info, threads, budgetBytes, refusal }: ListedDevice): DeviceInfo {
  return {
    runtime: place.runtime,
    index: place.gpu,
    name: info.deviceName,
    usable: refusal === null,
    problem: refusal?.message ?? '',
    threads,
    memoryBytes: BigInt(info.memoryBytes),
    precisions: [...info.precisions],
    libraries: [...info.libraries],
    budgetBytes: BigInt(budgetBytes),
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
