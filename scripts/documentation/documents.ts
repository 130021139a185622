import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withSections } from './markdown.js';
import { sections } from './sections.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A document of this repository as it is and as it should be. */
export interface Document {
  /** Path from the repository's root. */
  readonly path: string;
  readonly text: string;
  readonly fresh: string;
}

/** README.md, CHANGELOG.md and all of docs/. */
export function documents(): Document[] {
  const inDocs = readdirSync(`${ROOT}docs`, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'));
  return ['README.md', 'CHANGELOG.md', ...inDocs.map((path) => `docs/${path}`)].map((path) => {
    const text = readFileSync(ROOT + path, 'utf8');
    return { path, text, fresh: withSections(text, sections) };
  });
}
