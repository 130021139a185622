import { setMaxListeners } from 'node:events';
import { availableParallelism } from 'node:os';
import type { ImageRequest, ImageWorkers } from '../../native/binding.js';
import { engineBinding } from '../../native/index.js';
import { limitConcurrency } from './concurrency.js';

/** Images at the threads at a time: those in work, and enough that no thread waits for the event loop. */
const AT_THE_THREADS = 4 * availableParallelism();

/** Of one call: the others take their turns between them, however many images a call has. */
const OF_ONE_CALL = 2 * availableParallelism();

const slot = limitConcurrency(AT_THE_THREADS);
let workers: ImageWorkers | null = null;
let groups = 0;

/** The threads that prepare images: one set for the process, begun with the first image. Idle ones do not keep the process alive. */
function imageWorkers(): ImageWorkers {
  workers ??= new (engineBinding().ImageWorkers)({ threads: null, queueLength: AT_THE_THREADS });
  return workers;
}

/** What {@link prepareAll} adds to a request by itself. */
export type ImagePlan = Omit<ImageRequest, 'index' | 'group'>;

/**
 * Prepares images on threads of their own, none of which is libuv's or the event loop's; in no particular order.
 *
 * @param turn is taken by the image at this position: hands what is to be done to `prepare`, which resolves when the threads have done it.
 * What it holds for that, it gives back at its end.
 * @param refusal what an image's failure means to the caller
 * @throws what `turn` or `refusal` give for the first image that fails, by position; the signal's reason once it is aborted
 */
export async function prepareAll(
  count: number,
  turn: (index: number, prepare: (image: ImagePlan) => Promise<void>) => void | Promise<void>,
  refusal: (error: unknown, index: number) => unknown,
  signal: AbortSignal,
): Promise<void> {
  const group = groups++;
  const cancel = () => imageWorkers().cancel(group);
  // One signal may stand for many calls: for those that nobody can abort.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', cancel);
  const indices = Array.from({ length: count }, (_, index) => index).values();
  const failures: { readonly index: number; readonly error: unknown }[] = [];
  const work = async (index: number): Promise<void> => {
    signal.throwIfAborted();
    await turn(index, async (image) => {
      signal.throwIfAborted();
      await imageWorkers().prepare({ ...image, index, group });
    });
  };
  const takeTurns = async (): Promise<void> => {
    // Images are begun in their order, so that none before the first failure is left out.
    for (const index of indices) {
      if (failures.length > 0) return;
      try {
        await slot(() => work(index));
      } catch (error) {
        failures.push({ index, error });
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(count, OF_ONE_CALL) }, takeTurns));
  } finally {
    signal.removeEventListener('abort', cancel);
  }
  signal.throwIfAborted();
  const [first] = failures.sort((a, b) => a.index - b.index);
  if (first !== undefined) throw refusal(first.error, first.index);
}
