/**
 * The life of a classifier:
 *
 *     fresh --classes_set--> ready --step_begins--> training --step_ends--> ready
 *     any but cleared --clears--> cleared        fresh, ready, training --fails--> failed
 */
export type ClassifierState = 'fresh' | 'ready' | 'training' | 'failed' | 'cleared';

export type ClassifierEvent = 'classes_set' | 'step_begins' | 'step_ends' | 'fails' | 'clears';

const TRANSITIONS: Readonly<Record<ClassifierState, Readonly<Partial<Record<ClassifierEvent, ClassifierState>>>>> = {
  fresh: { classes_set: 'ready', fails: 'failed', clears: 'cleared' },
  ready: { classes_set: 'ready', step_begins: 'training', fails: 'failed', clears: 'cleared' },
  training: { step_ends: 'ready', fails: 'failed', clears: 'cleared' },
  failed: { clears: 'cleared' },
  cleared: {},
};

/** @throws Error of an event that the state does not know: a defect of the caller */
export function nextState(state: ClassifierState, event: ClassifierEvent): ClassifierState {
  const next = TRANSITIONS[state][event];
  if (next === undefined) throw new Error(`a classifier that is ${state} cannot take the event ${event}`);
  return next;
}
