/**
 * Loaded into the daemon before its own code: adds the network of this benchmark to those that the daemon knows, and tells the parent process
 * how long the event loop was kept from turning. The daemon itself is the one that users start.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { NetworkDefinition } from '../../server/networks/definition.js';
import { networks } from '../../server/networks/index.js';
import { means } from './network.js';

(networks as NetworkDefinition[]).push(means);

/** Milliseconds between two looks. */
const RESOLUTION = 1;

const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
delay.enable();

/** Each message asks for the longest delay since the one before, in milliseconds. */
process.on('message', () => {
  process.send?.({ maximum: delay.max / 1e6 - RESOLUTION, p99: delay.percentile(99) / 1e6 - RESOLUTION });
  delay.reset();
});
process.channel?.unref();
