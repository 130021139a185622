/** A process whose main thread never loads the addon: its workers load it, use it and end, one after another. */
import { once } from 'node:events';
import { startWorker, type WorkerTask } from '../worker.js';

for (const task of ['train', 'leave', 'run', 'train'] satisfies WorkerTask[]) {
  const worker = startWorker(task);
  await once(worker, 'message');
  if (task === 'run') await worker.terminate();
  else await once(worker, 'exit');
}
console.log('all workers ended');
