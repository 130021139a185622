import { refuse } from '../errors/refusal.js';
import type { Assignment } from '../parameters/registry.js';
import type { Value } from '../parameters/value.js';

/** The confidences of some images. */
export interface ApplyResult {
  /** Names, as they were when the images were classified. */
  readonly classes: readonly string[];
  readonly imageCount: number;
  /** (images, classes), 0..1. */
  readonly confidences: Float32Array;
}

/** A class of an image with its confidence. */
interface Prediction {
  readonly classIndex: number;
  readonly confidence: number;
}

/** Of all images the best class each, or of one image all classes. */
export type ImageIndex = 'all' | number;

/** What GetResult tells, with its documentation. */
export const applyResults = [
  {
    name: 'predicted_classes',
    documentation: 'Names of the classes.',
    get: ({ classIndex }: Prediction, { classes }: ApplyResult): Value => classes[classIndex] ?? '',
  },
  {
    name: 'predicted_class_ids',
    documentation: 'Positions of the classes in the parameter classes, counted from 0.',
    get: ({ classIndex }: Prediction): Value => BigInt(classIndex),
  },
  { name: 'confidences', documentation: 'Softmax of the network, 0..1.', get: ({ confidence }: Prediction): Value => confidence },
] as const;

const DEFAULT_NAMES = ['predicted_classes', 'confidences'];

/** @throws Refusal UNKNOWN_PARAMETER, WRONG_VALUE of an index outside */
export function readApplyResult(result: ApplyResult, index: ImageIndex, names: readonly string[]): Assignment[] {
  const definitions = (names.length > 0 ? names : DEFAULT_NAMES).map((name) => {
    const definition = applyResults.find((candidate) => candidate.name === name);
    if (definition !== undefined) return definition;
    const known = applyResults.map((candidate) => candidate.name).join(', ');
    throw refuse('UNKNOWN_PARAMETER', { name, problem: `there is no such result; there are ${known}` });
  });
  const predictions = index === 'all' ? bestOfEach(result) : allOf(result, index);
  return definitions.map(({ name, get }) => ({ name, values: predictions.map((prediction) => get(prediction, result)) }));
}

/** Of equal confidences the first. */
function bestOfEach(result: ApplyResult): Prediction[] {
  return Array.from({ length: result.imageCount }, (_, image) => {
    const row = confidencesOf(result, image);
    let best = 0;
    for (let index = 1; index < row.length; index++) {
      if ((row[index] ?? 0) > (row[best] ?? 0)) best = index;
    }
    return { classIndex: best, confidence: row[best] ?? 0 };
  });
}

/** By falling confidence, equal ones in the order of the classes. */
function allOf(result: ApplyResult, image: number): Prediction[] {
  if (image < 0 || image >= result.imageCount) {
    throw refuse('WRONG_VALUE', { name: 'image', got: image, wanted: `an index from 0 to ${result.imageCount - 1}` });
  }
  const predictions = Array.from(confidencesOf(result, image), (confidence, classIndex) => ({ classIndex, confidence }));
  return predictions.sort((a, b) => b.confidence - a.confidence);
}

function confidencesOf({ classes, confidences }: ApplyResult, image: number): Float32Array {
  return confidences.subarray(image * classes.length, (image + 1) * classes.length);
}
