import type { NetworkGraph } from '../../native/graph.js';

/** The graph with dropout that drops nothing: its random numbers are the engine's own, another program draws others. */
export function withoutDropout({ layers }: NetworkGraph): NetworkGraph {
  return { layers: layers.map((layer) => (layer.kind === 'dropout' ? { ...layer, probability: 0 } : layer)) };
}
