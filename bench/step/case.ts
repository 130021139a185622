import type { NetworkGraph, Precision } from '../../native/index.js';
import { networkByName } from '../../server/networks/index.js';

/** One training step to measure. */
export interface StepCase {
  /** For instance `resnet18 224x224 batch 16 bfloat16 2 threads`. */
  readonly name: string;
  readonly network: string;
  readonly graph: NetworkGraph;
  readonly classes: number;
  readonly width: number;
  readonly height: number;
  /** Images a step. */
  readonly batch: number;
  readonly precision: Precision;
  readonly threads: number;
}

const CLASSES = 10;

const SHAPES = [
  { network: 'compact', size: 64, batch: 64 },
  { network: 'compact', size: 224, batch: 32 },
  { network: 'resnet18', size: 224, batch: 16 },
] as const;
const PRECISIONS: readonly Precision[] = ['float32', 'bfloat16'];
const THREADS = [1, 2];

/** All cases in the order in which they are run. */
export const STEP_CASES: readonly StepCase[] = SHAPES.flatMap(({ network, size, batch }) =>
  PRECISIONS.flatMap((precision) =>
    THREADS.map((threads) => ({
      name: `${network} ${size}x${size} batch ${batch} ${precision} ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
      network,
      graph: graphOf(network, size),
      classes: CLASSES,
      width: size,
      height: size,
      batch,
      precision,
      threads,
    })),
  ),
);

function graphOf(name: string, size: number): NetworkGraph {
  const network = networkByName(name);
  if (network === null) throw new Error(`no network ${name}`);
  return network.graph({ classes: CLASSES, channels: 3, width: size, height: size });
}

/** The cases that have every word of a pattern in their names; several patterns are separated by commas, none means all cases. */
export function selectCases(patterns: string): readonly StepCase[] {
  const wanted = patterns.split(',').map((pattern) => pattern.split(' ').filter((word) => word !== ''));
  const selected = STEP_CASES.filter(({ name }) => wanted.some((words) => words.every((word) => name.split(' ').includes(word))));
  if (selected.length === 0)
    throw new Error(`no case matches ${patterns}; the cases are:\n  ${STEP_CASES.map(({ name }) => name).join('\n  ')}`);
  return selected;
}
