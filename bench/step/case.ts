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

export const CLASSES = 10;

const SHAPES = [
  { network: 'compact', size: 64, batch: 64, threads: [1, 2] },
  { network: 'compact', size: 224, batch: 32, threads: [1, 2] },
  { network: 'resnet18', size: 224, batch: 16, threads: [1, 2] },
  { network: 'resnet50', size: 224, batch: 16, threads: [1, 2] },
  { network: 'mobilenet_v2', size: 224, batch: 16, threads: [2] },
  { network: 'alexnet', size: 224, batch: 64, threads: [2] },
  { network: 'enhanced', size: 224, batch: 32, threads: [2] },
] as const;
const PRECISIONS: readonly Precision[] = ['float32', 'bfloat16'];

/** All cases in the order in which they are run. */
export const STEP_CASES: readonly StepCase[] = SHAPES.flatMap(({ network, size, batch, threads: counts }) =>
  PRECISIONS.flatMap((precision) =>
    counts.map((threads) => ({
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

/** The graph of a network for colour images of this size. */
export function graphOf(name: string, size: number): NetworkGraph {
  const network = networkByName(name);
  if (network === null) throw new Error(`no network ${name}`);
  return network.graph({ classes: CLASSES, channels: 3, width: size, height: size });
}
