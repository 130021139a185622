import type { Binding, StagingBuffer } from '../../native/binding.js';
import { isEngineError } from '../../native/index.js';
import { refuse } from '../errors/refusal.js';

/** @throws Refusal SERVER_BUSY without memory */
export function newStagingBuffer(binding: Pick<Binding, 'StagingBuffer'>, bytes: number): StagingBuffer {
  try {
    return new binding.StagingBuffer(bytes);
  } catch (error) {
    if (isEngineError(error) && error.reason === 'OUT_OF_MEMORY') throw refuse('SERVER_BUSY', { limit: 'memory' }, { cause: error });
    throw error;
  }
}
