import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { documents } from '../scripts/documentation/documents.js';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const README = readFileSync(`${ROOT}README.md`, 'utf8');
const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { scripts: Record<string, string> };

test('each npm command that a document names is a script of package.json', (t) => {
  for (const { path, text } of documents()) {
    for (const [, name = ''] of text.matchAll(/\bnpm run ([a-z:-]+)/g)) t.true(name in scripts, `${path}: npm run ${name}`);
  }
});

test('each script of package.json is documented in the README', (t) => {
  for (const name of Object.keys(scripts)) {
    t.regex(README, new RegExp(`npm (run )?${name}(?![a-z:-])`), name);
  }
});

test('each file that the scripts of package.json run exists', (t) => {
  for (const [name, command] of Object.entries(scripts)) {
    for (const [file] of command.matchAll(/\b(?:scripts|bench|dist)\/[\w./-]+/g)) {
      // What is in dist/ is compiled from a source of the same name.
      const source = file.replace(/^dist\/(.*)\.js$/, '$1.ts');
      t.true(existsSync(ROOT + source), `${name}: ${source}`);
    }
  }
});

test('each link to a file of the repository leads to one', (t) => {
  for (const { path, text } of documents()) {
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)) {
      t.true(existsSync(join(ROOT, dirname(path), target)), `${path}: ${target}`);
    }
  }
});

test('each floor of the source is in the map of the folders', (t) => {
  const { include } = JSON.parse(readFileSync(`${ROOT}tsconfig.json`, 'utf8')) as { include: string[] };
  const floors = [...include.map((pattern) => pattern.split('/')[0] ?? ''), 'proto'];
  for (const folder of floors.filter((name) => name !== 'generated')) {
    t.true(README.includes(`| [${folder}/](${folder}`), folder);
  }
});
