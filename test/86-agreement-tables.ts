/** What the tables of docs/agreement.md say of given errors. */
import test from 'ava';
import { mean, standardDeviation } from '../bench/accuracy/statistics.js';
import { accuracyTable } from '../bench/accuracy/table.js';
import { type Distances, QUANTITIES, quantities } from '../bench/agreement/distances.js';
import { agreementRows, agreementTable } from '../bench/agreement/table.js';
import type { BenchResult, Row } from '../bench/result.js';

const TRUTH = Array.from({ length: 51 }, () => 2);

function resultOf(rows: readonly Row[]): BenchResult {
  const machine = { processor: 'x', cores: 1, instructions: 'x', memoryGibibytes: 1, system: 'x', node: 'x' };
  return { machine: { ...machine, libraries: ['x'], peer: 'x', commit: 'x', date: 'x' }, command: 'x', rows };
}

/** A program whose every error is this. */
function uniform(error: number): Distances {
  return { logits: error, gradients: [new Map([['w', error]])], losses: TRUTH.map((loss) => loss * (1 + error)) };
}

const quantitiesOf = (error: number) => quantities(uniform(error), new Set(), TRUTH);

test('of gradients the median over the batches counts, and no tensor that has none', (t) => {
  const gradients = [1, 2, 300].map((factor) => new Map([1, 2, 3].map((error) => [`t${error}`, error * factor])).set('zero', 1e9));
  const found = quantities({ ...uniform(0), gradients }, new Set(['zero']), TRUTH);
  t.is(found['gradient, median'], 4);
  t.is(found['gradient, worst'], 6);
});

test('of losses the root mean square of the last five counts, after one step that one', (t) => {
  const losses = TRUTH.map((loss, step) => (step === 1 || step === 49 ? loss * 1.5 : loss));
  const found = quantities({ ...uniform(0), losses }, new Set(), TRUTH);
  t.is(found['loss after 1'], 0.5);
  t.is(found['loss after 10'], 0);
  t.is(found['loss after 50'], Math.sqrt(0.25 / 5));
});

test('an error is the root mean square of the sequences; bold is what is larger than both of PyTorch', (t) => {
  const sequence = (ours: number, contiguous: number, channelsLast: number) => [
    {
      precision: 'float32' as const,
      ours: quantitiesOf(ours),
      peer: { contiguous: quantitiesOf(contiguous), channels_last: quantitiesOf(channelsLast) },
    },
  ];
  const larger = agreementRows('a', [sequence(0.03, 0.01, 0.02), sequence(0.04, 0.01, 0.02)]);
  const between = agreementRows('b', [sequence(0.02, 0.01, 0.03)]);
  t.true(Math.abs((larger[0]?.ours ?? 0) - Math.sqrt(0.00125)) < 1e-12);
  const table = agreementTable(resultOf([...larger, ...between]));
  t.is(table.match(/\*\*3\.5e-2\*\* \/ 1\.0e-2, 2\.0e-2/g)?.length, QUANTITIES.length);
  t.is(table.match(/\| 2\.0e-2 \/ 1\.0e-2, 3\.0e-2/g)?.length, QUANTITIES.length);
  t.regex(table, /float32: of 12 errors ours is larger than PyTorch's contiguous in 12, than both of PyTorch's in 6\./);
});

test('means and deviations of trainings, and what follows', (t) => {
  t.is(mean([1, 2, 6]), 3);
  t.is(standardDeviation([1, 3]), Math.SQRT2);
  const table = (ours: readonly number[], peer: readonly number[]) =>
    accuracyTable(resultOf([{ case: 'x', ours: mean(ours), peer: mean(peer), ratio: 1, unit: 'top-1 error', details: { ours, peer } }]));
  t.regex(table([0.1, 0.2, 0.3], [0.15, 0.25, 0.35]), /5\.00 % apart: within one standard deviation of either/);
  t.regex(table([0.2, 0.2, 0.2], [0.15, 0.25, 0.35]), /5\.00 % apart: within one standard deviation of the larger/);
  t.regex(table([0.1, 0.1, 0.1], [0.5, 0.5, 0.5]), /40\.00 % apart: further apart than one standard deviation/);
});
