import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Daemon, startDaemon } from './daemon.js';

/** A fault of native/test/failing_gpus. */
export type GpuFault = 'hang' | 'lost' | 'out_of_memory' | 'wrong_confidences' | 'wrong_update' | 'wrong_update_bfloat16';

export interface GpuOptions {
  /** @default 1 */
  readonly count?: number;
  /** Bytes of memory of each. @default 1 GiB */
  readonly memoryBytes?: number;
  /** Faults from the start on. */
  readonly faults?: readonly (readonly [GpuFault, gpu: number])[];
  /** Without TF32 and bfloat16. */
  readonly float32Only?: boolean;
  readonly flags?: readonly string[];
}

/** A daemon with GPUs that fail when a test wants it. */
export interface GpuDaemon extends Daemon {
  /** @param bytesLeft of the GPU's memory, where the fault is `out_of_memory` @default 0 */
  fail(fault: GpuFault, gpu: number, bytesLeft?: number): Promise<void>;
  mend(fault: GpuFault, gpu: number): Promise<void>;
  /** Resolves when the GPU has met the fault `hang`. */
  hangs(gpu: number): Promise<void>;
}

/** The CUDA backend's own code, on the host or on a GPU, where this variable names a build of it. */
export const CUDA_BACKEND = process.env.DL_TEST_GPUS;

/** Else the GPUs that scripts/setup builds: they compute on the processors. */
const BACKEND = CUDA_BACKEND ?? 'build/native/test/dl_gpus_on_host.so';

export async function startGpuDaemon(options: GpuOptions = {}): Promise<GpuDaemon> {
  const { count = 1, memoryBytes = 2 ** 30, faults = [], float32Only = false, flags = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), 'dl-gpu-faults-'));
  const file = (fault: GpuFault, gpu: number) => join(folder, `${fault}-${gpu}`);
  const fail = (fault: GpuFault, gpu: number, bytesLeft = 0) => writeFile(file(fault, gpu), String(bytesLeft));
  const mend = (fault: GpuFault, gpu: number) => rm(file(fault, gpu));
  for (const [fault, gpu] of faults) await fail(fault, gpu);
  const daemon = await startDaemon(flags, {
    DL_CLASSIFIER_CUDA_BACKEND: BACKEND,
    DL_GPU_COUNT: String(count),
    DL_GPU_MEMORY_BYTES: String(memoryBytes),
    DL_GPU_PRECISIONS: float32Only ? '1' : '3',
    DL_GPU_FAULTS: folder,
  });
  const stop = async () => {
    await rm(folder, { recursive: true, force: true });
    await daemon.stop();
  };
  const hangs = async (gpu: number) => {
    while (!(await readdir(folder)).includes(`hangs-${gpu}`)) await setTimeout(50);
  };
  return { ...daemon, stop, fail, mend, hangs };
}
