import { readdirSync, readFileSync } from 'node:fs';
import { type BenchResult, markdown } from '../../bench/result.js';

const RESULTS = new URL('../../bench/results/', import.meta.url);

/** The tables of the results that are kept, one for each machine. */
export function benchmark(): string {
  const files = readdirSync(RESULTS).filter((name) => name.endsWith('.json'));
  return files
    .sort()
    .map((name) => markdown(JSON.parse(readFileSync(new URL(name, RESULTS), 'utf8')) as BenchResult).trim())
    .join('\n\n');
}
