#!/usr/bin/env node
/** dl-classifierd: see command_line.ts for what it can be told. */
import { setDefaultHighWaterMark } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { AddonLoadError, engineBinding } from '../native/index.js';
import { VERSION } from '../package/root.js';
import { CommandLineExit, readCommandLine } from './command_line.js';
import { type Daemon, startDaemon } from './daemon.js';
import { createLogger, type Logger } from './log.js';
import { StartError } from './start_error.js';

/** Messages that a call may run ahead of its handler. Node's default of 16 would let each call hold 16 MiB of pixels. */
const MESSAGES_AHEAD = 2;

/**
 * What keeps V8 from marking all that the daemon holds while images come and go; `test/31-full-collections.ts` counts.
 *
 * - No pretenuring: V8 makes objects in the old generation at once where most of their kind have outlived a collection. Those of an upload that
 *   are made there keep buffers of the network, dead ones too, until everything is marked.
 * - Growth, in per cent of the JavaScript heap: those buffers and staging buffers count as growth of a small heap, tens of MiB at a time.
 */
const COLLECTION_FLAGS = ['--no-allocation-site-pretenuring', '--heap-growing-percent=400'];

async function main(): Promise<void> {
  const config = readCommandLine(process.argv.slice(2), VERSION);
  const log = createLogger(config.logLevel);
  setDefaultHighWaterMark(true, MESSAGES_AHEAD);
  for (const flag of COLLECTION_FLAGS) setFlagsFromString(flag);
  const daemon = await startDaemon(config, log);
  // Without a certificate there is nothing to read anew: SIGHUP says then that the terminal was closed.
  stopOnSignals(daemon, config.tls === null ? [...STOPPING, 'SIGHUP'] : STOPPING, log);
  if (config.tls !== null) process.on('SIGHUP', () => void daemon.renewTls());
  process.stdout.write(`dl-classifierd listening on ${daemon.address}\n`);
}

/** The exit status of a daemon that has lost a device, or whose device hangs: whoever supervises it starts it anew. */
const DEVICE_LOST_STATUS = 3;

const STOPPING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];

/**
 * These signals let the running step finish. Repeated ones change nothing: npx and terminals pass the same one on twice. Who cannot wait
 * sends SIGKILL, which does no harm to stored files.
 */
function stopOnSignals(daemon: Daemon, signals: readonly NodeJS.Signals[], log: Logger): void {
  let stopping = false;
  const stop = async (reason: string, status: number) => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, 'stopping');
    const hanging = await daemon.stop();
    if (hanging.length > 0) {
      log.fatal({ gpus: hanging }, 'a GPU does not answer; the daemon ends without it');
      engineBinding().exitAtOnce(DEVICE_LOST_STATUS);
    }
    log.info('stopped');
    process.exit(status);
  };
  for (const signal of signals) process.on(signal, () => void stop(signal, 0));
  daemon.deviceLost.then(() => stop('a device is lost', DEVICE_LOST_STATUS));
}

/** What is wrong with the installation or the configuration, in one line; null for a defect of ours, which shows its stack. */
function startProblem(error: unknown): string | null {
  if (error instanceof StartError || error instanceof AddonLoadError) return error.message.replaceAll(/\s*\n\s*/g, ' ');
  return null;
}

try {
  await main();
} catch (error) {
  const problem = startProblem(error);
  if (error instanceof CommandLineExit) process.exitCode = error.exitCode;
  else if (problem === null) throw error;
  else {
    process.stderr.write(`dl-classifierd: ${problem}\n`);
    process.exitCode = 2;
  }
}
