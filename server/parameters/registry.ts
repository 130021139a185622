import { type Refusal, refuse } from '../errors/refusal.js';
import { batchParameters } from './batch.js';
import { classWeightParameters } from './class_weights.js';
import { classParameters } from './classes.js';
import type { Draft, ParameterDefinition, ParameterView, SetEnvironment } from './definition.js';
import { descriptionParameters } from './description.js';
import { deviceParameters } from './device.js';
import { freezeParameters } from './freeze.js';
import { imageParameters } from './image.js';
import type { Settings } from './settings.js';
import { solverParameters } from './solver.js';
import type { Value } from './value.js';

/** All parameters of a classifier, in the order of the documentation. */
export const parameters: readonly ParameterDefinition[] = [
  ...classParameters,
  ...classWeightParameters,
  ...batchParameters,
  ...solverParameters,
  ...freezeParameters,
  ...imageParameters,
  ...deviceParameters,
  ...descriptionParameters,
];

const byName: ReadonlyMap<string, ParameterDefinition> = new Map(parameters.map((definition) => [definition.name, definition]));

/** A name with its values. */
export interface Assignment {
  readonly name: string;
  readonly values: readonly Value[];
}

/**
 * What the settings are after all assignments, in their order. Nothing is changed: one refusal refuses all.
 *
 * @throws Refusal of the first assignment that is not allowed
 */
export function draftSettings(settings: Settings, assignments: readonly Assignment[], environment: SetEnvironment): Draft {
  const draft: Draft = { ...settings, initializeRuntime: false };
  const seen = new Set<string>();
  for (const { name, values } of assignments) {
    const definition = byName.get(name);
    if (!definition?.set) throw unknown(name, definition, 'set');
    if (seen.has(name)) throw refuse('INVALID_REQUEST', { field: 'params', problem: `${name} is named twice; name it once` });
    seen.add(name);
    definition.set(draft, values, environment);
  }
  for (const { agree } of parameters) agree?.(draft, settings, seen, environment);
  return draft;
}

/**
 * The values of the parameters of these names, in their order; no names mean all that can be read.
 *
 * @throws Refusal UNKNOWN_PARAMETER
 */
export function readParameters(view: ParameterView, names: readonly string[]): Assignment[] {
  const wanted = names.length > 0 ? names : parameters.filter(({ get }) => get !== null).map(({ name }) => name);
  return wanted.map((name) => {
    const definition = byName.get(name);
    if (!definition?.get) throw unknown(name, definition, 'get');
    return { name, values: definition.get(view) };
  });
}

function unknown(name: string, definition: ParameterDefinition | undefined, access: 'get' | 'set'): Refusal {
  if (definition !== undefined) {
    const problem = access === 'set' ? 'this parameter can be read, but not set' : 'this parameter can be set, but not read';
    return refuse('UNKNOWN_PARAMETER', { name, problem });
  }
  const names = parameters.filter((candidate) => candidate[access] !== null).map((candidate) => candidate.name);
  return refuse('UNKNOWN_PARAMETER', { name, problem: `there is no such parameter; those to ${access} are ${names.join(', ')}` });
}
