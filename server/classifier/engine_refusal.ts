import { isEngineError } from '../../native/index.js';
import { refuse } from '../errors/refusal.js';

/** Memory that the engine could not have. */
export interface MissingMemory {
  /** Wanted, at least. */
  readonly bytes: number;
  /** That the device has left beside all that it holds, infinite where the engine does not know it. */
  readonly freeBytes: number;
}

/**
 * What a call is refused with that the engine refused. What only a defect of ours can cause comes back as it is.
 *
 * @param memoryRefusal makes the refusal of memory that could not be had
 */
export async function engineRefusal(error: unknown, memoryRefusal: (missing: MissingMemory) => Promise<Error>): Promise<unknown> {
  if (!isEngineError(error)) return error;
  const { reason, metadata } = error;
  switch (reason) {
    case 'STEP_DIVERGED':
      return refuse('STEP_DIVERGED', { loss: metadata.loss ?? 'unknown', gradient_norm: metadata.gradient_norm ?? 'unknown' });
    case 'IMAGE_OUT_OF_RANGE':
      return refuse('IMAGE_VALUE_OUT_OF_RANGE', { image: metadata.image ?? 'unknown', value: metadata.value ?? 'unknown' });
    case 'OUT_OF_MEMORY':
      return memoryRefusal({ bytes: Number(metadata.bytes ?? 0), freeBytes: Number(metadata.free ?? Number.POSITIVE_INFINITY) });
    case 'QUEUE_FULL':
      return refuse('SERVER_BUSY', { limit: 'engine_queue' });
    case 'CLOSED':
      return refuse('SERVER_STOPPING');
    default:
      return error;
  }
}
