import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

/** A floor knows the floors that it names here and itself, and nothing else of this repository. */
const MAY_KNOW: Readonly<Record<string, readonly string[]>> = {
  package: [],
  checksum: ['package'],
  generated: [],
  client: ['checksum', 'generated', 'package'],
  native: ['package'],
  server: ['checksum', 'generated', 'native', 'package'],
  demo: ['client', 'package'],
};

/** The same for the floors of the engine, by their includes. */
const MAY_INCLUDE: Readonly<Record<string, readonly string[]>> = {
  checksum: [],
  cpu: ['engine'],
  cuda: ['engine'],
  engine: [],
  images: ['engine'],
  addon: ['engine', 'checksum', 'cpu', 'images'],
  reference: ['engine'],
};

const ROOT = fileURLToPath(new URL('../', import.meta.url));

interface Reference {
  readonly file: string;
  /** Folder that is referred to, relative to the root of what is examined. */
  readonly floor: string;
}

function files(folder: string, extension: RegExp): string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => extension.test(name)).map((name) => join(folder, name));
}

/** The top-level folders that the modules of a folder import from. */
function imports(folder: string): Reference[] {
  return files(folder, /\.ts$/).flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const specifiers = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*['"](\.{1,2}\/[^'"]+)['"]/g)].map(
      ([, specifier = '']) => specifier,
    );
    return specifiers.map((specifier) => ({ file, floor: normalize(join(dirname(file), specifier)).split('/')[0] ?? '' }));
  });
}

/** The folders of native/ that the sources of one of them include from; tests may know all. */
function includes(folder: string): Reference[] {
  const sources = files(join('native', folder), /\.(h|cpp|cu)$/).filter((file) => !file.includes('/test/'));
  return sources.flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    return [...text.matchAll(/^#include "([^"/]+)\//gm)].map(([, floor = '']) => ({ file, floor }));
  });
}

for (const [floor, known] of Object.entries(MAY_KNOW)) {
  test(`${floor}/ imports from ${[floor, ...known].join('/, ')}/ only`, (t) => {
    const found = imports(floor);
    t.true(found.length > 0 || known.length === 0, 'nothing was examined');
    t.deepEqual(
      found.filter((reference) => ![floor, ...known].includes(reference.floor)),
      [],
    );
  });
}

for (const [floor, known] of Object.entries(MAY_INCLUDE)) {
  test(`native/${floor}/ includes from ${[floor, ...known].join('/, ')}/ only`, (t) => {
    const found = includes(floor);
    t.true(found.length > 0, 'nothing was examined');
    t.deepEqual(
      found.filter((reference) => ![floor, ...known].includes(reference.floor)),
      [],
    );
  });
}
