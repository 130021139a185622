import { readdirSync, readFileSync } from 'node:fs';

const RESULTS = new URL('../../bench/results/', import.meta.url);

/** The tables of a benchmark's results that are kept, one for each machine. */
export function benchmark<Result>(name: string, table: (result: Result) => string): string {
  const folder = new URL(`${name}/`, RESULTS);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => table(JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Result).trim())
    .join('\n\n');
}
