/**
 * Trains and applies a network and prints how the process has grown, beside what was estimated; needs --expose-gc. All in bytes.
 *
 *   network_growth.ts NETWORK PRECISION BATCH
 */
import { setTimeout } from 'node:timers/promises';
import { engineBinding, type Precision } from '../../../native/index.js';
import { networkByName } from '../../../server/networks/index.js';
import { makeEngine, noiseBatch } from '../engine.js';
import { trainOptions } from '../graphs.js';

export interface NetworkGrowth {
  /** Parameters and the plan of a training step. */
  readonly training: { readonly grown: number; readonly estimated: number };
  /** The plan of applying that comes to it. */
  readonly applying: { readonly grown: number; readonly estimated: number };
}

const INPUT = { channels: 3, height: 224, width: 224 } as const;

const [name = '', precision = 'float32', batch = '1'] = process.argv.slice(2);
const network = networkByName(name);
if (network === null) throw new Error(`no network ${name}`);
const graph = network.graph({ classes: 10, ...INPUT });
const engine = makeEngine();

async function residentBytes(): Promise<number> {
  for (let turn = 0; turn < 5; turn++) {
    (globalThis as { gc?: () => void }).gc?.();
    await setTimeout(10);
  }
  return process.memoryUsage.rss();
}

async function grow(batchSize: number): Promise<NetworkGrowth> {
  const options = { ...trainOptions(batchSize), precision: precision as Precision, frozenLayers: [] };
  const estimate = await engine.planMemory(graph, INPUT, options, 'sgd');
  const images = noiseBatch(INPUT, batchSize);
  const before = await residentBytes();
  const model = new (engineBinding().Model)(engine, graph, INPUT, 1n);
  // The update of the second step meets momentum, which the first makes.
  for (let step = 0; step < 2; step++) await model.train(images, new Int32Array(batchSize), { ...options, learningRate: 1e-6 });
  const trained = await residentBytes();
  await model.apply(images, options);
  const applied = await residentBytes();
  images.buffer.close();
  await model.close();
  return {
    training: { grown: trained - before, estimated: estimate.parameterBytes + estimate.trainingBytes },
    applying: { grown: applied - trained, estimated: estimate.inferenceBytes },
  };
}

// Kernels are compiled and buffers made that stay, whatever comes after.
await grow(1);
console.log(JSON.stringify(await grow(Number(batch))));
await engine.close();
