import type { NetworkGraph } from '../../native/index.js';
import type { NetworkDefinition } from '../../server/networks/definition.js';
import { networks } from '../../server/networks/index.js';

/** One network on one sequence of batches. */
export interface AgreementCase {
  readonly network: NetworkDefinition;
  /** Without dropout, whose random numbers each program draws for itself. */
  readonly graph: NetworkGraph;
  /** Of weights and images. */
  readonly seed: number;
  /** Steps of the training that follows; 0 for none. */
  readonly steps: number;
}

/** Width and height; photographs of 32 x 32 are enlarged. */
export const SIZE = 48;
export const IMAGES = 8;
/** Batches on each of which logits, gradient and the loss after one step from the initial weights are compared. */
export const START_BATCHES = 5;
/** What operators of the family begin with. */
export const LEARNING_RATE = 0.001;
export const MOMENTUM = 0.9;

/** Sequences of each network: chance has its part in each, and their scatter tells how large. */
const SEQUENCES = 6;
/** The first so many are trained on, which takes ten times as long as all else. */
const TRAINED_SEQUENCES = 2;
const STEPS = 50;

/** @param names of the networks; none means all */
export function agreementCases(names: readonly string[], classes: number): AgreementCase[] {
  const known = networks.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`there is no network ${unknown}; there are ${known.join(', ')}`);
  const chosen = networks.filter(({ name }) => names.length === 0 || names.includes(name));
  // One sequence of all networks after the other: whoever ends it early has a table of all.
  return Array.from({ length: SEQUENCES }, (_, index) => index).flatMap((index) => {
    const steps = index < TRAINED_SEQUENCES ? STEPS : 0;
    return chosen.map((network) => ({ network, graph: graphOf(network, classes), seed: index + 1, steps }));
  });
}

function graphOf(network: NetworkDefinition, classes: number): NetworkGraph {
  const { layers } = network.graph({ classes, channels: 3, width: SIZE, height: SIZE });
  return { layers: layers.map((layer) => (layer.kind === 'dropout' ? { ...layer, probability: 0 } : layer)) };
}
