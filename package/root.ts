import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Folder of package.json, proto/ and build/, with a slash at its end: one above this file's in the sources, two in dist/. */
export const PACKAGE_ROOT = findPackageRoot();

/** From package.json: that of daemon, engine and client alike. */
export const VERSION = readVersion();

function findPackageRoot(): string {
  for (const up of ['../', '../../']) {
    const folder = new URL(up, import.meta.url);
    if (existsSync(new URL('package.json', folder))) return fileURLToPath(folder);
  }
  throw new Error(`no package.json above ${import.meta.url}: the installation is incomplete, install the package again`);
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(`${PACKAGE_ROOT}package.json`, 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest && typeof manifest.version === 'string') {
    return manifest.version;
  }
  throw new Error(`${PACKAGE_ROOT}package.json has no version: the installation is incomplete, install the package again`);
}
