import { refuse } from '../errors/refusal.js';
import { networks } from '../networks/index.js';
import { type ParameterDefinition, parameter } from './definition.js';

const CLASS_LAYERS = networks.map(({ name, classLayer }) => `${name}: ${classLayer}`).join(', ');

export const classParameters: readonly ParameterDefinition[] = [
  parameter({
    name: 'classes',
    type: 'string',
    count: 'any',
    range: 'names that are not empty',
    default: 'none',
    reinitializes:
      `Where the list differs from the present one in any way: weights, biases and solver's state (momentum or moments) of the last layer ` +
      `(${CLASS_LAYERS}). ` +
      'Other layers keep theirs. class_weights are forgotten, unless the same call sets them.',
    documentation:
      'Names of the classes, unique, in the order in which the network tells confidences. Must be set before training and applying.',
    get: ({ settings }) => settings.classes,
    admits: (value) => value !== '',
    set: (draft, classes) => {
      checkUnique(classes);
      draft.classes = classes;
    },
  }),
];

function checkUnique(classes: readonly string[]): void {
  const positions = new Map<string, number>();
  for (const [index, name] of classes.entries()) {
    const first = positions.get(name);
    if (first !== undefined) throw refuse('DUPLICATE_CLASSES', { class: name, first_index: first, second_index: index });
    positions.set(name, index);
  }
}
