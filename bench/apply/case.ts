import type { NetworkGraph } from '../../native/index.js';
import { networks } from '../../server/networks/index.js';
import { CLASSES, graphOf } from '../step/case.js';

/** One application of a network to measure. */
export interface ApplyCase {
  /** For instance `resnet18 224x224 batch 1 float32 2 threads`. */
  readonly name: string;
  readonly network: string;
  readonly graph: NetworkGraph;
  readonly classes: number;
  readonly size: number;
  /** Images a call. */
  readonly batch: number;
  readonly threads: number;
}

const SIZE = 224;
const SHAPES = [
  { batch: 1, threads: 1 },
  { batch: 1, threads: 2 },
  { batch: 16, threads: 2 },
] as const;

/** All networks in float32: what ONNX Runtime has on every processor. */
export const APPLY_CASES: readonly ApplyCase[] = networks.flatMap(({ name: network }) =>
  SHAPES.map(({ batch, threads }) => ({
    name: `${network} ${SIZE}x${SIZE} batch ${batch} float32 ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    network,
    graph: graphOf(network, SIZE),
    classes: CLASSES,
    size: SIZE,
    batch,
    threads,
  })),
);
