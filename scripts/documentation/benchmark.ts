import { readdirSync, readFileSync } from 'node:fs';
import { markdown, type SpeedBenchmark, type SpeedResult } from '../../bench/result.js';

const RESULTS = new URL('../../bench/results/', import.meta.url);

/** The tables of a benchmark's results that are kept, one for each machine. */
export function benchmark(name: SpeedBenchmark): string {
  const folder = new URL(`${name}/`, RESULTS);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => markdown(JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as SpeedResult).trim())
    .join('\n\n');
}
