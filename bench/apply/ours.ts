/** Our side of `npm run bench -- apply`: the engine, asked as the peer is asked (bench/peer/onnx_apply.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Engine, engineBinding, type Model, type PlanOptions, type StagingBuffer } from '../../native/index.js';
import { peakBytes, serve, type Turn } from '../worker.js';
import type { ApplyRequest } from './compare.js';
import { SEED } from './exported.js';

class Application {
  readonly #engine: Engine;
  readonly #model: Model;
  readonly #pixels: Uint8Array;
  readonly #buffer: StagingBuffer;
  readonly #options: PlanOptions;

  constructor(private readonly request: ApplyRequest) {
    const { folder, graph, size, batch, threads } = request;
    const binding = engineBinding();
    this.#engine = new binding.Engine({ gpu: null, threads, queueLength: 1 });
    this.#model = new binding.Model(this.#engine, graph, { channels: 3, height: size, width: size }, SEED);
    this.#pixels = readFileSync(join(folder, 'images'));
    this.#buffer = new binding.StagingBuffer(this.#pixels.byteLength);
    this.#options = { batchSize: batch, precision: 'float32', deterministic: false, frozenLayers: [] };
  }

  /** As the daemon does it: the pixels are copied to the staging buffer, then the network is applied. */
  async apply(): Promise<Float32Array> {
    this.#buffer.write(0, this.#pixels);
    return this.#model.apply({ buffer: this.#buffer, format: 'uint8', count: this.request.batch }, this.#options);
  }

  async turn(steps: number): Promise<Turn> {
    const seconds: number[] = [];
    for (let i = 0; i < steps; i++) {
      const begin = performance.now();
      await this.apply();
      seconds.push((performance.now() - begin) / 1000);
    }
    return { seconds };
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}

/** The one network of this process; `prepare` makes it. */
const prepared: { application: Application | null } = { application: null };

await serve(async ({ prepare, steps, memory }) => {
  if (prepare !== undefined) {
    prepared.application = new Application(prepare as ApplyRequest);
    return { confidences: [...(await prepared.application.apply())] };
  }
  if (memory) return { peak_bytes: peakBytes() };
  if (prepared.application === null || steps === undefined) throw new Error('no case is prepared, or no number of steps given');
  return prepared.application.turn(steps);
});
await prepared.application?.close();
