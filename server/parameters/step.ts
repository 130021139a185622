import { refuse } from '../errors/refusal.js';
import type { SetEnvironment } from './definition.js';
import { type Assignment, draftSettings } from './registry.js';
import type { Settings } from './settings.js';

/** Parameters that a batch may bring along: they change no shape, no weight and no memory. */
const OF_A_STEP: readonly string[] = ['learning_rate', 'momentum', 'weight_prior'];

/**
 * The settings that a step is made with which brings these parameters along.
 *
 * @throws Refusal UNKNOWN_PARAMETER of another parameter, and those of {@link draftSettings}
 */
export function stepSettings(settings: Settings, assignments: readonly Assignment[], environment: SetEnvironment): Settings {
  if (assignments.length === 0) return settings;
  for (const { name } of assignments) {
    if (OF_A_STEP.includes(name)) continue;
    throw refuse('UNKNOWN_PARAMETER', { name, problem: `a batch may bring ${OF_A_STEP.join(', ')}; set others with SetParam` });
  }
  const { initializeRuntime: _, ...next } = draftSettings(settings, assignments, environment);
  return next;
}
