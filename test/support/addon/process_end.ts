/** A process that ends in one of the ways in which a process ends; its name is the first argument. */
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { engineBinding } from '../../../native/index.js';
import { busy, makeEngine, makeModel, makeSlowModel } from '../engine.js';
import { SMALL_INPUT, smallGraph } from '../graphs.js';

/** An image of a size that takes tens of milliseconds, several times over; nobody awaits them. */
function prepareImages(count: number): Promise<void>[] {
  const { ImageWorkers, StagingBuffer } = engineBinding();
  const workers = new ImageWorkers({ threads: 2, queueLength: count });
  const pixels = { width: 6000, height: 6000, channels: 1 };
  const source = new StagingBuffer(pixels.width * pixels.height);
  const shape = { width: 16, height: 16, channels: 3, targetOffset: 0 };
  const steps = { exact: false, domain: null, normalizeContrast: false, augmentation: null, index: 0, group: 0 };
  return Array.from({ length: count }, () =>
    workers.prepare({
      source,
      sourceOffset: 0,
      sourceBytes: source.byteLength,
      pixels,
      target: new StagingBuffer(768),
      ...shape,
      ...steps,
    }),
  );
}

/** The threads of engines and of images, and those that compute for them, that run after the addon has seen the process exit. */
function printThreadsAtExit(): void {
  process.on('exit', () => {
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    let threads = engineThreads();
    // Those that compute end a moment after the engine's thread.
    for (let i = 0; i < 1000 && threads > 0; i++, threads = engineThreads()) Atomics.wait(sleeper, 0, 0, 10);
    console.log(`${threads} threads`);
  });
}

function engineThreads(): number {
  return readdirSync('/proc/self/task').filter((id) => {
    try {
      return ['dl_engine\n', 'dl_images\n'].includes(readFileSync(`/proc/self/task/${id}/comm`, 'utf8'));
    } catch {
      return false; // ended since the folder was read
    }
  }).length;
}

const ENDINGS: Record<string, () => Promise<void> | void> = {
  /** Engine, model and buffer are left open; nothing runs. */
  async idle() {
    const engine = makeEngine();
    const model = makeModel(engine);
    await model.snapshot();
    Object.assign(globalThis, { open: [engine, model, new (engineBinding().StagingBuffer)(1024)] }); // or they would be garbage
    console.log('idle');
  },

  /** Nothing but the job keeps the process alive. */
  async awaited() {
    await busy(makeSlowModel(makeEngine()));
    console.log('the job ended');
  },

  /** Nobody awaits the jobs: they are finished all the same. */
  unawaited() {
    const model = makeSlowModel(makeEngine());
    for (let i = 0; i < 3; i++) void busy(model, 1).then(() => console.log('ended'));
  },

  /** Nothing but close keeps the process alive. */
  async closing() {
    const engine = makeEngine();
    const running = busy(makeSlowModel(engine)).catch(() => undefined);
    await engine.close();
    console.log('closed');
    await running;
  },

  /** Nothing but the images keeps the process alive, and nobody closes their threads. */
  async images_awaited() {
    await Promise.all(prepareImages(4));
    console.log('the images are prepared');
  },

  exit_in_mid_image() {
    for (const image of prepareImages(8)) image.catch(() => undefined);
    printThreadsAtExit();
    process.exit(3);
  },

  async exit_in_mid_job() {
    const model = makeSlowModel(makeEngine());
    for (let i = 0; i < 3; i++) void busy(model);
    printThreadsAtExit();
    await setImmediate();
    process.exit(3);
  },

  async exception_in_mid_job() {
    const model = makeSlowModel(makeEngine());
    for (let i = 0; i < 3; i++) void busy(model);
    printThreadsAtExit();
    await setImmediate();
    throw new Error('mine');
  },

  /** The environment ends while close is under way. */
  async exit_in_mid_close() {
    const engine = makeEngine();
    void busy(makeSlowModel(engine)).catch(() => undefined);
    void engine.close();
    printThreadsAtExit();
    process.exit(3);
  },

  /** The models are closed, one of them in mid-job, and nobody awaits it. */
  exit_with_models_closing() {
    const engine = makeEngine();
    const model = makeSlowModel(engine);
    void busy(model).catch(() => undefined);
    void model.close();
    void makeModel(engine).close();
    printThreadsAtExit();
    process.exit(3);
  },

  /** A constructor that throws leaves nothing behind that could be finalized. */
  failed_constructors() {
    const { Engine, Model, StagingBuffer } = engineBinding();
    const engine = makeEngine();
    for (const construct of [
      () => new Engine({ gpu: null, threads: 0, queueLength: 1 }),
      () => new Model(engine, { layers: [] }, SMALL_INPUT, 1n),
      () => new Model(engine, smallGraph(), { ...SMALL_INPUT, channels: 1 }, 1n),
      () => new StagingBuffer(-1),
    ]) {
      try {
        construct();
      } catch {
        console.log('refused');
      }
    }
  },
};

const ending = ENDINGS[process.argv[2] ?? ''];
if (ending === undefined) throw new Error(`no ending named ${process.argv[2]}`);
await ending();
