import { refuse } from '../errors/refusal.js';
import { type ParameterDefinition, parameter } from './definition.js';
import { classesDiffer } from './settings.js';

export const classWeightParameters: readonly ParameterDefinition[] = [
  parameter({
    name: 'class_weights',
    type: 'real',
    count: 'none or more',
    range: 'a finite number >= 0 for each of the classes, not all 0; or none',
    default: 'none, which is 1 for each class',
    documentation:
      'How much an image of each class counts in the loss: L_mn = -1/N * sum_n c_n * <y_n, log f(x_n, w)>, c_n being the weight of its class and ' +
      'N the number of images. top1_error counts all images alike. Other classes forget the weights unless the same call sets both.',
    get: ({ settings }) => settings.classWeights,
    admits: (value) => value >= 0 && Number.isFinite(value),
    set: (draft, values) => {
      if (values.length > 0 && values.every((value) => value === 0)) {
        throw refuse('WRONG_VALUE', { name: 'class_weights', got: 'only 0', wanted: 'at least one weight above 0' });
      }
      draft.classWeights = values;
    },
    agree: (draft, before, assigned) => {
      if (classesDiffer(before, draft) && !assigned.has('class_weights')) draft.classWeights = [];
      const [got, classes] = [draft.classWeights.length, draft.classes.length];
      if (got === 0 || got === classes) return;
      const wanted = classes === 0 ? '0, as long as the classes are not set' : `0 or ${classes}, one for each class`;
      throw refuse('WRONG_VALUE_COUNT', { name: 'class_weights', got, wanted });
    },
  }),
];
