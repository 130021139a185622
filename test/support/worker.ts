import { Worker } from 'node:worker_threads';

/**
 * What the worker thread of test/support/addon/worker.ts does. train: one step, then close. leave: one step, nothing is closed.
 * run: jobs are under way when the message is sent. exit: the same, and the worker exits.
 */
export type WorkerTask = 'train' | 'leave' | 'run' | 'exit';

/** Starts the worker thread. Node.js 20 does not hand tsx's hooks down to a worker: it registers them itself. */
export function startWorker(task: WorkerTask): Worker {
  const program = new URL('./addon/worker.ts', import.meta.url);
  const code = `import('tsx/esm/api').then(({ register }) => { register(); return import('${program}'); })`;
  return new Worker(code, { eval: true, workerData: task });
}
