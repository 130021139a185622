import test from 'ava';
import { slopePerMinute } from '../bench/load/measure.js';
import { runLoad } from '../bench/load/run.js';
import { startDaemon } from './support/daemon.js';

const CLIENTS = 6;
const SECONDS = 20;

test('many clients at once, with pixels and with references: no error, and every one gets on', async (t) => {
  const daemon = await startDaemon();
  const records = await runLoad(daemon.address, { clients: CLIENTS, network: 'compact', seconds: SECONDS });
  for (const { kind, errors } of records) t.deepEqual(errors, [], kind);
  const steps = records.map((record) => record.steps);
  const mean = steps.reduce((sum, count) => sum + count, 0) / CLIENTS;
  t.true(Math.min(...steps) > 0 && Math.min(...steps) > mean / 4, `steps of the clients: ${steps.join(', ')}`);
  t.true(records.every(({ applied }) => applied > 0));
  await daemon.stop();
});

test('the slope of memory is that of the line by least squares', (t) => {
  t.is(slopePerMinute([5, 5, 5, 5]), 0);
  t.is(slopePerMinute([0, 1, 2, 3, 4]), 60);
  // y = 1, 3, 2 at x = 0, 1, 2: (3 * 7 - 3 * 6) / (3 * 5 - 9) = 0.5 a second.
  t.is(slopePerMinute([1, 3, 2]), 30);
});
