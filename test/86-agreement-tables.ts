/** What the tables of docs/agreement.md say of given errors. */
import test from 'ava';
import { mean, standardDeviation } from '../bench/accuracy/statistics.js';
import { accuracyTable } from '../bench/accuracy/table.js';
import type { Agreement } from '../bench/agreement/compare.js';
import { type Distances, geometricMean, QUANTITIES, quantities } from '../bench/agreement/distances.js';
import { errorRatio } from '../bench/agreement/ratio.js';
import { agreementRows, agreementTable } from '../bench/agreement/table.js';
import type { BenchResult, Row } from '../bench/result.js';

const TRUTH = { afterOneStep: [2, 2, 2], training: Array.from({ length: 51 }, () => 2) };

function resultOf(rows: readonly Row[]): BenchResult {
  const machine = { processor: 'x', cores: 1, instructions: 'x', memoryGibibytes: 1, system: 'x', node: 'x' };
  return { machine: { ...machine, libraries: ['x'], peer: 'x', commit: 'x', date: 'x' }, command: 'x', rows };
}

/** A program whose every error is this. */
function uniform(error: number): Distances {
  const off = (losses: readonly number[]) => losses.map((loss) => loss * (1 + error));
  return {
    logits: [error],
    gradients: [new Map([['w', error]])],
    losses: { afterOneStep: off(TRUTH.afterOneStep), training: off(TRUTH.training) },
  };
}

const quantitiesOf = (error: number) => quantities(uniform(error), new Set(), TRUTH);

const isNear = (value: number | null | undefined, wanted: number) => Math.abs((value ?? Number.NaN) / wanted - 1) < 1e-12;

test('of logits and gradients the geometric mean over batches and tensors counts, and no tensor that has none', (t) => {
  const gradients = [1, 2, 4].map((factor) => new Map([1, 2, 4].map((error) => [`t${error}`, error * factor])).set('zero', 1e9));
  const found = quantities({ ...uniform(0), logits: [1, 9], gradients }, new Set(['zero']), TRUTH);
  t.true(isNear(found.logits, 3));
  t.true(isNear(found.gradient, 4));
  t.true(isNear(found['gradient, worst tensor'], 8));
});

test('of losses the root mean square counts: after one step over the batches, later of the last five', (t) => {
  const training = TRUTH.training.map((loss, step) => (step === 1 || step === 49 ? loss * 1.5 : loss));
  const found = quantities({ ...uniform(0), losses: { afterOneStep: [2, 3, 1], training } }, new Set(), TRUTH);
  t.true(isNear(found['loss after 1'], Math.sqrt(0.5 / 3)));
  t.is(found['loss after 10'], 0);
  t.true(isNear(found['loss after 50'], Math.sqrt(0.25 / 5)));
});

test('a sequence without training has no losses of one', (t) => {
  const truth = { ...TRUTH, training: [] };
  const found = quantities({ ...uniform(0.1), losses: { afterOneStep: [2.2, 2.2, 2.2], training: [] } }, new Set(), truth);
  t.true(isNear(found['loss after 1'], 0.1));
  t.deepEqual([found['loss after 10'], found['loss after 50']], [null, null]);
});

test("the ratio of paired errors is their geometric mean with Student's interval of the logarithms", (t) => {
  const { ratio, low, high } = errorRatio([2, 4, 8], [1, 1, 1]);
  // Logarithms ln 2 * (1, 2, 3): mean 2 ln 2, standard deviation ln 2; t of two degrees of freedom is 4.303.
  t.true(isNear(ratio, 4));
  t.true(isNear(high, 4 * 2 ** (4.303 / Math.sqrt(3))));
  t.true(isNear(low, 4 / 2 ** (4.303 / Math.sqrt(3))));
  t.deepEqual(errorRatio([3, 3], [1, 1]), { ratio: geometricMean([3, 3]), low: 0, high: Number.POSITIVE_INFINITY });
});

function sequence(ours: number, contiguous: number, channelsLast: number): Agreement[] {
  const peer = { contiguous: quantitiesOf(contiguous), channels_last: quantitiesOf(channelsLast) };
  return [{ precision: 'float32', ours: quantitiesOf(ours), peer }];
}

test('the tables have errors and ratios; bold is a ratio that is above 1 with all of its interval', (t) => {
  const rows = agreementRows('a', [sequence(0.02, 0.01, 0.04), sequence(0.08, 0.04, 0.16), sequence(0.04, 0.02, 0.08)]);
  t.true(isNear(rows[0]?.ours, 0.04));
  const table = agreementTable(resultOf(rows));
  t.is(table.match(/ 4\.0e-2 \/ 2\.0e-2, 8\.0e-2 /g)?.length, QUANTITIES.length);
  t.is(table.match(/ \*\*2\.00 \(2\.00\.\.2\.00\)\*\* /g)?.length, QUANTITIES.length);
  t.is(table.match(/ 0\.50 \(0\.50\.\.0\.50\) /g)?.length, QUANTITIES.length);
  t.regex(table, /float32, 6 errors: beside PyTorch's contiguous order ours is larger in 6, smaller in 0, not to be told apart in 0;/);
  t.regex(table, /beside PyTorch's channels last ours is larger in 0, smaller in 6, not to be told apart in 0\./);

  const scattered = agreementTable(
    resultOf(agreementRows('a', [sequence(0.02, 0.01, 0.01), sequence(0.01, 0.02, 0.02), sequence(0.1, 0.1, 0.1)])),
  );
  t.regex(scattered, / 1\.00 \(0\.18\.\.5\.60\)/);
  t.regex(scattered, /contiguous order ours is larger in 0, smaller in 0, not to be told apart in 6;/);
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
