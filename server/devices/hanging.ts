import type { Device } from './device.js';

/** Milliseconds between two looks at the devices. */
const INTERVAL = 250;

/**
 * Waits for the end of some work, unless nothing but GPUs that hang keeps it from its end: all that is under way is on GPUs that have finished
 * nothing for so long, from now on. The CPU never hangs: a step on it takes as long as it takes.
 *
 * @param milliseconds after which a GPU that has not finished anything hangs
 * @returns the GPUs that hang; none where the work has ended
 * @throws what `work` rejects with
 */
export async function unlessHanging(
  work: Promise<void>,
  devices: readonly Pick<Device, 'runtime' | 'index' | 'silence'>[],
  milliseconds: number,
): Promise<readonly number[]> {
  const began = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const hanging = new Promise<readonly number[]>((resolve) => {
    timer = setInterval(() => {
      const busy = devices.filter(({ silence }) => silence !== null);
      const hang = ({ runtime, silence }: Pick<Device, 'runtime' | 'silence'>) => runtime === 'gpu' && (silence ?? 0) >= milliseconds;
      if (performance.now() - began >= milliseconds && busy.length > 0 && busy.every(hang)) resolve(busy.map(({ index }) => index));
    }, INTERVAL);
  });
  try {
    return await Promise.race([work.then(() => []), hanging]);
  } finally {
    clearInterval(timer);
  }
}
