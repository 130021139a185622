import { type ParameterDefinition, parameter } from './definition.js';

/** What a classifier is, and what its owner says about it. */
export const descriptionParameters: readonly ParameterDefinition[] = [
  parameter({
    name: 'type',
    type: 'string',
    documentation: 'Name of the network.',
    get: ({ network }) => [network.name],
  }),
  parameter({
    name: 'num_trainable_params',
    type: 'int',
    documentation: 'Number of values that training changes; those of frozen layers are not among them.',
    get: ({ parameterCount }) => [BigInt(parameterCount)],
  }),
  parameter({
    name: 'step',
    type: 'int',
    documentation: 'Training steps applied. Stored and read with the classifier.',
    get: ({ step }) => [BigInt(step)],
  }),
  parameter({
    name: 'meta_data',
    type: 'map',
    range: 'a string map, which replaces the present one',
    default: 'empty',
    documentation:
      'Names and texts of your own, stored with the classifier: how the images were preprocessed, where they are, who trained it.',
    get: ({ settings }) => [settings.metaData],
    set: (draft, [value]) => {
      draft.metaData = value ?? draft.metaData;
    },
  }),
];
