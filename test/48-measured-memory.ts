/** What EstimateMemory tells is what a process grows by, measured by the kernel: every network, training and applying. */
import test from 'ava';
import { networks } from '../server/networks/index.js';
import type { NetworkGrowth } from './support/addon/network_growth.js';
import { makeEngine } from './support/engine.js';
import { runProgram } from './support/program.js';

const MIB = 2 ** 20;
const BATCH = 8;
/** Code that is compiled for this size of batch, and what the allocator keeps. */
const UNSTEADY_BYTES = 6 * MIB;

async function precisions(): Promise<readonly string[]> {
  const engine = makeEngine();
  const found = engine.info.precisions;
  await engine.close();
  return found;
}

for (const { name } of networks) {
  test.serial(`${name}: the process grows by what was estimated, within 1 %`, async (t) => {
    for (const precision of await precisions()) {
      const { exitCode, stdout, stderr } = await runProgram('addon/network_growth.ts', [name, precision, String(BATCH)], ['--expose-gc']);
      if (exitCode !== 0) throw new Error(stderr);
      for (const [what, { grown, estimated }] of Object.entries(JSON.parse(stdout) as NetworkGrowth)) {
        t.log(`${precision}, ${what}: ${(grown / MIB).toFixed(1)} MiB, estimated ${(estimated / MIB).toFixed(1)}`);
        t.true(Math.abs(grown - estimated) < 0.01 * estimated + UNSTEADY_BYTES, what);
      }
    }
  });
}
