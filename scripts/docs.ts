import { writeFileSync } from 'node:fs';
import { documents } from './documentation/documents.js';

/** Renders the generated parts of the documents from the registries that the daemon itself uses. */
for (const { path, text, fresh } of documents()) {
  if (text === fresh) continue;
  writeFileSync(new URL(`../${path}`, import.meta.url), fresh);
  console.log(`rendered ${path}`);
}
