/** A worker thread that uses an engine of its own, as `workerData` says. */
import { parentPort, workerData } from 'node:worker_threads';
import { busy, makeEngine, makeModel, makeSlowModel, noiseBatch } from '../engine.js';
import { SMALL_INPUT, trainOptions } from '../graphs.js';
import type { WorkerTask } from '../worker.js';

const task = workerData as WorkerTask;
const engine = makeEngine();

if (task === 'run' || task === 'exit') {
  const model = makeSlowModel(engine);
  for (let i = 0; i < 3; i++) void busy(model);
  parentPort?.postMessage('running');
  if (task === 'exit') setImmediate(() => process.exit(5));
} else {
  const model = makeModel(engine);
  const step = await model.train(noiseBatch(SMALL_INPUT, 4), Int32Array.of(0, 1, 2, 3), trainOptions(4));
  const [weights] = await model.snapshot();
  parentPort?.postMessage({ loss: step.loss, weights: weights?.data });
  if (task === 'train') await engine.close();
}
