import { type BenchResult, machineLine } from '../result.js';
import { mean, standardDeviation } from './statistics.js';

/** The errors of both programs for each seed, their means and standard deviations, and whether the means are within one of these. */
export function accuracyTable(result: BenchResult): string {
  const [row] = result.rows;
  if (row === undefined) throw new Error('the result has no row');
  const { ours, peer } = row.details as { readonly ours: readonly number[]; readonly peer: readonly number[] };
  const distance = Math.abs(mean(ours) - mean(peer));
  const smaller = Math.min(standardDeviation(ours), standardDeviation(peer));
  const larger = Math.max(standardDeviation(ours), standardDeviation(peer));
  const verdict =
    distance <= smaller
      ? 'within one standard deviation of either'
      : distance <= larger
        ? 'within one standard deviation of the larger'
        : 'further apart than one standard deviation';
  const line = (name: string, errors: readonly number[]) =>
    `| ${[name, ...errors.map(percent), percent(mean(errors)), percent(standardDeviation(errors))].join(' | ')} |`;
  return [
    `| top-1 error | ${ours.map((_, index) => `seed ${index + 1}`).join(' | ')} | mean | standard deviation |`,
    `| --- |${' ---: |'.repeat(ours.length + 2)}`,
    line('ours', ours),
    line('PyTorch', peer),
    '',
    `The means are ${percent(distance)} apart: ${verdict}.`,
    '',
    machineLine(result),
    '',
  ].join('\n');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
