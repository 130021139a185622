/** Our side of `npm run bench -- step`: the engine, asked as the peer is asked (bench/peer/torch_step.py). */
import { type Engine, engineBinding, type Model, type StagingBuffer, type TrainOptions } from '../../native/index.js';
import { sgdOptions } from '../sgd_options.js';
import { peakBytes, serve, type Turn } from '../worker.js';
import type { StepCase } from './case.js';

class Training {
  private readonly engine: Engine;
  private readonly model: Model;
  private readonly pixels: Uint8Array;
  private readonly labels: Int32Array;
  private readonly buffer: StagingBuffer;
  private readonly options: TrainOptions;
  private step = 0;

  constructor(stepCase: StepCase) {
    const { graph, classes, width, height, batch, precision, threads } = stepCase;
    const binding = engineBinding();
    this.engine = new binding.Engine({ gpu: null, threads, queueLength: 1 });
    this.model = new binding.Model(this.engine, graph, { channels: 3, height, width }, 1n);
    this.pixels = Uint8Array.from({ length: batch * height * width * 3 }, () => Math.floor(Math.random() * 256));
    this.labels = Int32Array.from({ length: batch }, () => Math.floor(Math.random() * classes));
    this.buffer = new binding.StagingBuffer(this.pixels.byteLength);
    this.options = sgdOptions({ batchSize: batch, precision, learningRate: 0.001, momentum: 0.9, weightPrior: 0.0001, step: 0 });
  }

  /** As the daemon does it: the pixels are copied to the staging buffer, then the step is made. */
  async turn(steps: number): Promise<Turn> {
    const seconds: number[] = [];
    const phases = { forward: 0, backward: 0, update: 0 };
    for (let i = 0; i < steps; i++) {
      const begin = performance.now();
      this.buffer.write(0, this.pixels);
      const batch = { buffer: this.buffer, format: 'uint8', count: this.labels.length } as const;
      const result = await this.model.train(batch, this.labels, { ...this.options, step: this.step++ });
      seconds.push((performance.now() - begin) / 1000);
      phases.forward += result.forwardSeconds;
      phases.backward += result.backwardSeconds;
      phases.update += result.updateSeconds;
    }
    return { seconds, phases };
  }

  close(): Promise<void> {
    return this.engine.close();
  }
}

/** The one training of this process; `prepare` makes it. */
const prepared: { training: Training | null } = { training: null };

await serve(async ({ prepare, steps, memory }) => {
  if (prepare !== undefined) {
    prepared.training = new Training(prepare as StepCase);
    return {};
  }
  if (memory) return { peak_bytes: peakBytes() };
  if (prepared.training === null || steps === undefined) throw new Error('no case is prepared, or no number of steps given');
  return prepared.training.turn(steps);
});
await prepared.training?.close();
