import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { Server } from '@grpc/grpc-js';
import { ClassifierServiceService } from '../generated/dlclassifier/v1/classifier_service.js';
import { ImageServiceService } from '../generated/dlclassifier/v1/image_service.js';
import { engineBinding } from '../native/index.js';
import type { Config } from './config.js';
import type { Device } from './devices/device.js';
import { Devices } from './devices/devices.js';
import { unlessHanging } from './devices/hanging.js';
import { openImageStore } from './image_store/open_image_store.js';
import type { Logger } from './log.js';
import { openModelFolder } from './model_folder.js';
import { ServerState } from './state.js';
import { ModelFolder } from './store/model_folder.js';
import { createGrpcServer } from './transport/grpc_server.js';
import { Health } from './transport/health.js';
import { isLocal, listen } from './transport/listen.js';
import { addReflection } from './transport/reflection.js';
import { RunningCalls } from './transport/running_calls.js';
import { classifierService, imageService } from './transport/service.js';
import { readTls, renewableTls, serverCredentials, type TlsIdentity } from './transport/tls.js';

/** Part of the machine's memory that pixels of stored images may take where the configuration does not say. */
const PIXEL_CACHE_SHARE = 1 / 8;

/**
 * How long a daemon that has lost a device goes on: calls that do not need the device are served, so that what lives on others can be stored.
 * Milliseconds.
 */
const TIME_WITHOUT_DEVICE = 15_000;

/** How long a daemon that stops waits for GPUs that finish nothing any more. Milliseconds; below the 90 s that systemd gives by default. */
const TIME_TO_ANSWER = 60_000;

/** How long clients get to take the last answers and leave. Milliseconds. */
const FAREWELL_TIME = 3000;

/** A daemon that listens. */
export interface Daemon {
  /** As a gRPC client takes it. */
  readonly address: string;
  /** Reads the files of the certificate anew, for connections to come; without TLS it does nothing. */
  renewTls(): Promise<void>;
  /** Resolves some time after a device was lost: the daemon is to be stopped and its process to be ended, which alone frees a device. */
  readonly deviceLost: Promise<void>;
  /**
   * Refuses new calls, ends uploads that have no commit, finishes the steps that have, then closes everything.
   *
   * @returns indices of the GPUs that hang, for which it has given up waiting: only the end of the process, which must not wait for their threads,
   * frees them; none where everything is closed
   */
  stop(): Promise<readonly number[]>;
}

/**
 * Loads the engine, opens the model folder and listens.
 *
 * @throws StartError, AddonLoadError
 */
export async function startDaemon(config: Config, log: Logger): Promise<Daemon> {
  const identity = config.tls === null ? null : await readTls(config.tls);
  const modelFolder = await openModelFolder(config.models);
  await tidy(modelFolder, log);
  const { limits } = config;
  const binding = engineBinding();
  const store = {
    folder: config.images ?? join(modelFolder, 'images'),
    named: config.images !== null,
    maximumBytes: limits.storedBytes,
    maximumImageBytes: limits.storedImageBytes,
    maximumPixelBytes: limits.pixelCacheBytes ?? Math.floor(totalmem() * PIXEL_CACHE_SHARE),
  };
  const images = await openImageStore(store, log);
  const devices = new Devices({ binding, threads: config.threads, memoryBytes: limits.memoryBytes, log });
  const state = new ServerState({ binding, devices, modelFolder, images, limits, log });
  try {
    return await serve(config, identity, state, log);
  } catch (error) {
    await state.close();
    throw error;
  }
}

/** A folder that cannot be tidied can still be served from. */
async function tidy(modelFolder: string, log: Logger): Promise<void> {
  try {
    const files = await new ModelFolder(modelFolder).tidy();
    if (files > 0) log.info({ files }, 'removed what was left of writes that a kill had ended');
  } catch (error) {
    log.warn({ err: error }, 'what is left of writes that a kill ended could not be removed');
  }
}

async function serve(config: Config, identity: TlsIdentity | null, state: ServerState, log: Logger): Promise<Daemon> {
  const server = createGrpcServer(config.limits, log);
  const calls = new RunningCalls();
  const health = new Health();
  const context = (signal: AbortSignal, peer: string, callLog: Logger) => ({ server: state, signal, peer, log: callLog });
  const environment = { calls, log, context, transferIdleSeconds: config.limits.transferIdleSeconds };
  server.addService(ClassifierServiceService, classifierService(environment));
  server.addService(ImageServiceService, imageService(environment));
  health.addTo(server);
  if (config.reflection) addReflection(server);
  const renewTls = config.tls === null ? async () => {} : renewableTls(server, config.tls, log);
  const address = await listen(server, config.listen, serverCredentials(identity));
  log.info({ address, modelFolder: state.modelFolder, engine: state.devices.cpu.engine.info, limits: config.limits }, 'listening');
  // Calls that come before the end wait for it.
  state.devices.checked.catch((error: unknown) => log.error({ err: error }, 'the GPUs could not be examined'));
  warnOfOpenDoors(address, identity, log);
  return {
    address,
    renewTls,
    deviceLost: serveWithout(state.devices.lost, health, log),
    stop: () => {
      const closed = async () => {
        health.setNotServing();
        await calls.stop();
        await shutDown(server);
        await state.close();
      };
      return unlessHanging(closed(), state.devices.all, TIME_TO_ANSWER);
    },
  };
}

/** NOT_SERVING from the moment on that a device is lost. */
async function serveWithout(lost: Promise<Device>, health: Health, log: Logger): Promise<void> {
  const { runtime, index, lost: refusal } = await lost;
  health.setNotServing();
  log.fatal({ runtime, index, err: refusal?.cause, seconds: TIME_WITHOUT_DEVICE / 1000 }, 'a device is lost; the daemon will stop');
  await new Promise((resolve) => setTimeout(resolve, TIME_WITHOUT_DEVICE).unref());
}

function warnOfOpenDoors(address: string, identity: TlsIdentity | null, log: Logger): void {
  if (identity !== null && identity.validTo < new Date()) log.warn({ validTo: identity.validTo }, 'the certificate has expired');
  if (isLocal(address)) return;
  if (identity === null) log.warn({ address }, 'other machines can connect, without TLS and without a password');
  else if (identity.clientCa === null)
    log.warn({ address }, 'all machines can connect: --tls-client-ca lets in only those with a certificate');
}

/**
 * Ends connections when their last call is answered; a health watch, which has no end, is cut off. What is left of a connection then is not
 * waited for: a socket may outlive its HTTP/2 session, when its client has left in the middle of an upload that was refused.
 */
async function shutDown(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, FAREWELL_TIME);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
