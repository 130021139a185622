import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../package/root.js';
import { python } from './python.js';
import { Worker } from './worker.js';

function openmp(threads: number): NodeJS.ProcessEnv {
  return { OMP_NUM_THREADS: String(threads) };
}

/** A script of ours the way this process is run: from the sources or from dist/. */
export function scriptUrl(source: URL): URL {
  return import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/\.ts$/, '.js'));
}

/** Such a script in a process of its own. */
export function startScript(source: URL, threads: number, name: string): Worker {
  return new Worker([process.execPath, ...process.execArgv, fileURLToPath(scriptUrl(source))], openmp(threads), name);
}

/** A script of bench/peer. */
export function startPython(script: string, threads: number, name: string, environment: NodeJS.ProcessEnv = {}): Worker {
  const command = [python(), `${PACKAGE_ROOT}bench/peer/${script}`] as const;
  return new Worker(command, { ...openmp(threads), ...environment, PYTHONDONTWRITEBYTECODE: '1' }, name);
}
