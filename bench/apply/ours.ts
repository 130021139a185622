/** Our side of `npm run bench -- apply`: the engine, asked as the peer is asked (bench/peer/onnx_apply.py). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Engine, engineBinding, type Model, type PlanOptions, type StagingBuffer } from '../../native/index.js';
import { toStored } from '../../server/classifier/stored_tensors.js';
import { networkByFileName } from '../../server/networks/index.js';
import { onnxModel } from '../../server/onnx/model.js';
import { defaultSettings } from '../../server/parameters/settings.js';
import { peakBytes, serve, type Turn } from '../worker.js';
import type { ApplyRequest } from './compare.js';

class Application {
  readonly #engine: Engine;
  readonly #model: Model;
  readonly #pixels: Uint8Array;
  readonly #buffer: StagingBuffer;
  readonly #options: PlanOptions;

  constructor(private readonly request: ApplyRequest) {
    const { graph, size, batch, threads } = request;
    const binding = engineBinding();
    this.#engine = new binding.Engine({ gpu: null, threads, queueLength: 1 });
    this.#model = new binding.Model(this.#engine, graph, { channels: 3, height: size, width: size }, 1n);
    this.#pixels = Uint8Array.from({ length: batch * size * size * 3 }, () => Math.floor(Math.random() * 256));
    this.#buffer = new binding.StagingBuffer(this.#pixels.byteLength);
    this.#options = { batchSize: batch, precision: 'float32', deterministic: false, frozenLayers: [] };
  }

  /** Gives the peer the same weights and images, as the daemon exports them. */
  async share(): Promise<void> {
    const { network: name, classes, size, folder } = this.request;
    const network = networkByFileName(name);
    const settings = {
      ...defaultSettings(network),
      imageWidth: size,
      imageHeight: size,
      classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
    };
    const tensors = (await this.#model.snapshot()).map(toStored);
    const { parts } = onnxModel({ network, settings, step: 0, seed: 1n, tensors }, this.#model.layers, 'uint8');
    writeFileSync(join(folder, 'model.onnx'), Buffer.concat(parts));
    writeFileSync(join(folder, 'images'), this.#pixels);
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
    await prepared.application.share();
    return { confidences: [...(await prepared.application.apply())] };
  }
  if (memory) return { peak_bytes: peakBytes() };
  if (prepared.application === null || steps === undefined) throw new Error('no case is prepared, or no number of steps given');
  return prepared.application.turn(steps);
});
await prepared.application?.close();
