// Exits with 0 where node_modules holds what package-lock.json asks for, with 1 where `npm ci` is due. Runs before anything is installed.
import { readFileSync } from 'node:fs';

function packagesOf(lockFile) {
  return JSON.parse(readFileSync(new URL(`../${lockFile}`, import.meta.url), 'utf8')).packages;
}

function isInstalled() {
  const wanted = packagesOf('package-lock.json');
  let installed;
  try {
    installed = packagesOf('node_modules/.package-lock.json'); // what npm writes when it is done
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
  const same = (path) => installed[path]?.version === wanted[path]?.version;
  // An optional package of another platform is not installed.
  const missing = Object.keys(wanted).filter((path) => path !== '' && !same(path) && !(wanted[path].optional && !installed[path]));
  const foreign = Object.keys(installed).filter((path) => !same(path));
  return missing.length === 0 && foreign.length === 0;
}

process.exitCode = isInstalled() ? 0 : 1;
