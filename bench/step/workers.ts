import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../../server/package_root.js';
import { Worker } from './worker.js';

/** The Python that scripts/setup makes; it has the peer. */
const PYTHON = `${PACKAGE_ROOT}.venv/bin/python`;

/**
 * glibc returns big blocks to the system when they are freed and zeroes new pages at the next step; told to keep them, PyTorch is
 * often quicker. Our engine has one arena for a plan's life and needs no such setting.
 */
export const ALLOCATORS = {
  'glibc as it is': {},
  'glibc keeping freed memory': {
    MALLOC_MMAP_THRESHOLD_: String(8 * 2 ** 30),
    MALLOC_TRIM_THRESHOLD_: String(64 * 2 ** 30),
    MALLOC_TOP_PAD_: String(64 * 2 ** 20),
  },
} as const satisfies Record<string, NodeJS.ProcessEnv>;

export type Allocator = keyof typeof ALLOCATORS;

function openmp(threads: number): NodeJS.ProcessEnv {
  return { OMP_NUM_THREADS: String(threads) };
}

/** Our engine in a process of its own, run the way this process is run: from the sources or from dist/. */
export function startOurs(threads: number): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const script = fileURLToPath(new URL(`ours.${extension}`, import.meta.url));
  return new Worker([process.execPath, ...process.execArgv, script], openmp(threads), 'our engine');
}

export function startPeer(threads: number, allocator: Allocator): Worker {
  const environment = { ...openmp(threads), ...ALLOCATORS[allocator], PYTHONDONTWRITEBYTECODE: '1' };
  return new Worker([PYTHON, `${PACKAGE_ROOT}bench/peer/torch_step.py`], environment, 'PyTorch');
}
