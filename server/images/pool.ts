import { availableParallelism } from 'node:os';
import type { ImageRequest, ImageWorkers } from '../../native/binding.js';
import { engineBinding } from '../../native/index.js';
import { limitConcurrency } from './concurrency.js';

/** Images at the threads at a time: those in work, and enough that none of them waits for the event loop. */
const AT_THE_THREADS = 4 * availableParallelism();

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
 * @param plan what is to be done with the image at this position; asked for when its turn comes, null where nothing is
 * @param refusal what an image's failure means to the caller
 * @throws what `plan` or `refusal` give for the first image that fails, by position; the signal's reason once it is aborted
 */
export async function prepareAll(
  count: number,
  plan: (index: number) => ImagePlan | null | Promise<ImagePlan | null>,
  refusal: (error: unknown, index: number) => unknown,
  signal: AbortSignal,
): Promise<void> {
  const group = groups++;
  const cancel = () => imageWorkers().cancel(group);
  signal.addEventListener('abort', cancel);
  let firstFailure = Number.POSITIVE_INFINITY;
  const prepare = async (index: number): Promise<void> => {
    signal.throwIfAborted();
    if (index > firstFailure) return;
    try {
      const image = await plan(index);
      signal.throwIfAborted();
      if (image !== null) await imageWorkers().prepare({ ...image, index, group });
    } catch (error) {
      firstFailure = Math.min(firstFailure, index);
      throw signal.aborted ? signal.reason : refusal(error, index);
    }
  };
  try {
    const results = await Promise.allSettled(Array.from({ length: count }, (_, index) => slot(() => prepare(index))));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
