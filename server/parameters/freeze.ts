import { refuse } from '../errors/refusal.js';
import { type NetworkDefinition, trainableLayers } from '../networks/definition.js';
import { type ParameterDefinition, parameter } from './definition.js';
import { matchesGlob } from './glob.js';

/** What does not train. */
export interface Freeze {
  /** As the caller wrote them. */
  readonly patterns: readonly string[];
  /** Names of the layers that they stand for, in the order of the network. */
  readonly layers: readonly string[];
}

export const NOTHING_FROZEN: Freeze = { patterns: [], layers: [] };

export const freezeParameters: readonly ParameterDefinition[] = [
  parameter({
    name: 'freeze',
    type: 'string',
    count: 'none or more',
    range: 'patterns that each match a layer with weights, and together not all of them',
    default: 'none',
    documentation:
      'Layers whose weights stay as they are: patterns of names that DescribeClassifier lists, `*` for any characters, `?` for one. Their ' +
      'momentum or moments stay, too, and their batch norms take the stored statistics and leave them, so that frozen layers give the same ' +
      'features in training and in applying. Nothing is computed backward for them, nor below the lowest layer that trains. No value thaws all.',
    get: ({ settings }) => settings.freeze.patterns,
    set: (draft, patterns, { network }) => {
      draft.freeze = freezeOf(network, patterns);
    },
  }),
];

/** @throws Refusal WRONG_VALUE of a pattern that matches no layer with weights, and of patterns that leave none to train */
export function freezeOf(network: NetworkDefinition, patterns: readonly string[]): Freeze {
  const names = trainableLayers(network);
  const unused = patterns.find((pattern) => !names.some((name) => matchesGlob(pattern, name)));
  if (unused !== undefined) {
    throw refuse('WRONG_VALUE', {
      name: 'freeze',
      got: unused,
      wanted: `a pattern that matches a layer with weights: ${names.join(', ')}`,
    });
  }
  const layers = names.filter((name) => patterns.some((pattern) => matchesGlob(pattern, name)));
  if (layers.length === names.length) {
    const wanted = `patterns that leave a layer to train, of ${names.join(', ')}`;
    throw refuse('WRONG_VALUE', { name: 'freeze', got: patterns.join(', '), wanted });
  }
  return { patterns, layers };
}
