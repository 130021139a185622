import { median } from '../median.js';
import type { Worker } from '../worker.js';
import { startPython } from '../workers.js';
import { ALLOCATORS, type Allocator } from './allocators.js';
import type { StepCase } from './case.js';

/** How the peer computes: what of it is quicker depends on case and machine. */
export interface Variant {
  readonly channels_last: boolean;
  readonly optimizer: 'foreach' | 'fused';
}

/** The quickest way that PyTorch has for a case. */
export interface PeerChoice {
  readonly variant: Variant;
  readonly allocator: Allocator;
}

const VARIANTS: readonly Variant[] = [false, true].flatMap((channels_last) =>
  (['foreach', 'fused'] as const).map((optimizer) => ({ channels_last, optimizer })),
);

/** Steps that count; one more goes before, as the first ones set things up. */
const TRIAL_STEPS = 3;

/** Tries all layouts, optimisers and allocators. The measurement itself starts afresh with the best, so that its memory is its own. */
export async function choosePeer(stepCase: StepCase, onTrial: (text: string) => void): Promise<PeerChoice> {
  let best: (PeerChoice & { readonly seconds: number }) | null = null;
  for (const allocator of Object.keys(ALLOCATORS) as Allocator[]) {
    await using peer = startPeer(stepCase.threads, allocator);
    for (const variant of VARIANTS) {
      await peer.prepare({ ...stepCase, variant });
      const { seconds: all } = await peer.steps(1 + TRIAL_STEPS);
      const seconds = median(all.slice(1));
      onTrial(`${describePeer({ variant, allocator })}: ${(stepCase.batch / seconds).toFixed(1)} images/s`);
      if (best === null || seconds < best.seconds) best = { variant, allocator, seconds };
    }
  }
  if (best === null) throw new Error('no variant of the peer was tried');
  return best;
}

export function startPeer(threads: number, allocator: Allocator): Worker {
  return startPython('torch_step.py', threads, 'PyTorch', ALLOCATORS[allocator]);
}

export function describePeer({ variant, allocator }: PeerChoice): string {
  return `${variant.channels_last ? 'channels_last' : 'contiguous'}, ${variant.optimizer} SGD, ${allocator}`;
}
