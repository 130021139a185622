import { type Refusal, refuse } from '../errors/refusal.js';
import type { Misfit, WeightsFit } from './fit.js';
import { FLOAT_TYPES } from './float32.js';
import { namePatterns } from './name_patterns.js';

/** Of the three lists together, so that they come through as trailers of a call; see transport/status.ts. In bytes. */
const MAXIMUM_LISTS = 4400;
/** Of what the message tells of each list. */
const MAXIMUM_IN_MESSAGE = 160;

/**
 * What weights are refused with that do not fit; null where they do.
 *
 * @param remedy what to do, where something special is known
 */
export function misfitRefusal(fit: WeightsFit, network: string, fileName: string, remedy?: string): Refusal | null {
  const problems = [missingProblem(fit.missing), misshapenProblem(fit.misshapen), extraProblem(fit.extra)].filter((text) => text !== '');
  if (problems.length === 0) return null;
  const lists = { missing: namePatterns(fit.missing), extra: namePatterns(fit.extra), misshapen: misshapenEntries(fit.misshapen) };
  return refuse('WEIGHTS_DO_NOT_FIT', {
    file_name: fileName,
    network,
    problem: problems.join('; '),
    ...withinLimit(lists),
    ...(remedy === undefined ? {} : { remedy }),
  });
}

function missingProblem(names: readonly string[]): string {
  if (names.length === 0) return '';
  return names.length === 1
    ? `the tensor ${JSON.stringify(names[0])} is missing`
    : `${names.length} tensors are missing: ${inMessage(names)}`;
}

function misshapenProblem(misfits: readonly Misfit[]): string {
  const [first] = misfits;
  if (first === undefined) return '';
  if (misfits.length > 1) return `${misfits.length} tensors have another shape or type: ${inMessage(misfits.map(({ name }) => name))}`;
  const name = JSON.stringify(first.name);
  if (first.type !== null) return `the tensor ${name} is of the type ${first.type}, not ${FLOAT_TYPES.join(', ')}`;
  return `the tensor ${name} has the shape (${first.got.join(', ')}), the network's is (${first.wanted.join(', ')})`;
}

/** `fc.weight: 10x512 instead of 1000x512`; tensors that differ in the same way together. */
function misshapenEntries(misfits: readonly Misfit[]): string[] {
  const sizes = (shape: readonly number[]) => (shape.length === 0 ? 'scalar' : shape.join('x'));
  const namesByDifference = new Map<string, string[]>();
  for (const { name, got, wanted, type } of misfits) {
    const difference = `${sizes(got)}${type === null ? '' : ` of type ${type}`} instead of ${sizes(wanted)}`;
    namesByDifference.set(difference, [...(namesByDifference.get(difference) ?? []), name]);
  }
  return [...namesByDifference].flatMap(([difference, names]) => namePatterns(names).map((pattern) => `${pattern}: ${difference}`));
}

function extraProblem(names: readonly string[]): string {
  if (names.length === 0) return '';
  if (names.length === 1) return `the network has no tensor ${JSON.stringify(names[0])}`;
  return `the network has none of ${names.length} tensors: ${inMessage(names)}`;
}

function inMessage(names: readonly string[]): string {
  return limited(namePatterns(names), ', ', MAXIMUM_IN_MESSAGE);
}

/** The lists that are not empty, one pattern a line. What short ones leave over, long ones may have. */
function withinLimit(lists: Readonly<Record<string, readonly string[]>>): Record<string, string> {
  const shortestFirst = Object.entries(lists)
    .filter(([, patterns]) => patterns.length > 0)
    .map(([key, patterns]) => ({ key, patterns, bytes: Buffer.byteLength(patterns.join('\n')) }))
    .sort((a, b) => a.bytes - b.bytes);
  let left = MAXIMUM_LISTS;
  const texts = shortestFirst.map(({ key, patterns }, index) => {
    const text = limited(patterns, '\n', Math.floor(left / (shortestFirst.length - index)));
    left -= Buffer.byteLength(text);
    return [key, text];
  });
  return Object.fromEntries(texts);
}

/** As many of the patterns as there is room for. */
function limited(patterns: readonly string[], separator: string, maximumBytes: number): string {
  const whole = patterns.join(separator);
  if (Buffer.byteLength(whole) <= maximumBytes) return whole;
  const kept: string[] = [];
  let bytes = 0;
  for (const pattern of patterns) {
    bytes += Buffer.byteLength(pattern) + separator.length;
    // Room for the words at the end.
    if (bytes > maximumBytes - 40) break;
    kept.push(pattern);
  }
  return [...kept, `and ${patterns.length - kept.length} patterns more`].join(separator);
}
