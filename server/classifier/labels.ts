import { refuse } from '../errors/refusal.js';

/** The class of an image: a name, a position in `classes`, or null where the caller left both out. */
export type LabelReference = string | number | null;

/**
 * The positions of the labels in `classes`.
 *
 * @throws Refusal INVALID_LABEL
 */
export function resolveLabels(labels: readonly LabelReference[], classes: readonly string[], imageCount: number): Int32Array {
  if (labels.length !== imageCount) throw refuse('INVALID_LABEL', { got_count: labels.length, wanted_count: imageCount });
  const positions = new Map(classes.map((name, index) => [name, index]));
  return Int32Array.from(labels, (label, image) => {
    const index = typeof label === 'string' ? positions.get(label) : label;
    if (index === null) throw refuse('INVALID_LABEL', { image, got: 'left out' });
    if (index !== undefined && index >= 0 && index < classes.length) return index;
    const wanted = typeof label === 'string' ? 'one of classes' : `a name, or a position from 0 to ${classes.length - 1}`;
    throw refuse('INVALID_LABEL', { image, got: JSON.stringify(label), wanted });
  });
}
