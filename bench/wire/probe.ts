/**
 * Loaded into the daemon before its own code: adds the network of this benchmark to those that the daemon knows, and tells the parent process
 * how long the event loop was kept from turning, and what its memory is used for. The daemon itself is the one that users start.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { queryObjects, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { NetworkDefinition } from '../../server/networks/definition.js';
import { networks } from '../../server/networks/index.js';
import type { LoopDelay, MemoryUse, Question } from './daemon_process.js';
import { means } from './network.js';

(networks as NetworkDefinition[]).push(means);

/** Milliseconds between two looks. */
const RESOLUTION = 1;

const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
delay.enable();

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function memoryUse(): Promise<MemoryUse> {
  // Some goes only when what held it is gone.
  for (let time = 0; time < 3; time++) {
    collect();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  return { heap: heapUsed, external, objects: queryObjects(Object, { format: 'count' }) };
}

/** Milliseconds, since the question before. */
function loopDelay(): LoopDelay {
  const answer = { maximum: delay.max / 1e6 - RESOLUTION, p99: delay.percentile(99) / 1e6 - RESOLUTION };
  delay.reset();
  return answer;
}

process.on('message', async (question: Question) => {
  process.send?.(question === 'loop delay' ? loopDelay() : await memoryUse());
});
process.channel?.unref();
