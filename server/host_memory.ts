import { refuse } from './errors/refusal.js';

/**
 * Memory for so many bytes, which hold anything until they are written. It begins aligned for numbers of any type.
 *
 * @throws Refusal SERVER_BUSY where it cannot be had
 */
export function hostMemory(bytes: number): Buffer {
  try {
    return Buffer.allocUnsafeSlow(bytes);
  } catch (error) {
    throw refuse('SERVER_BUSY', { limit: 'memory' }, { cause: error });
  }
}
