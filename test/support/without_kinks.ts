import type { Layer, NetworkGraph } from '../../native/graph.js';

/**
 * The graph without what makes a gradient jump: no ReLU, averages for maxima. Rounding then changes gradients by no more than its own
 * size, and every tensor can be compared closely.
 */
export function withoutKinks({ layers }: NetworkGraph): NetworkGraph {
  /** What is read instead of a layer that is left out. */
  const instead = new Map<string, string>();
  const source = (name: string) => instead.get(name) ?? name;
  const kept: Layer[] = [];
  for (const layer of layers) {
    if (layer.kind === 'relu') {
      instead.set(layer.name, source(layer.input));
    } else if (layer.kind === 'add') {
      kept.push({ ...layer, inputs: [source(layer.inputs[0]), source(layer.inputs[1])] });
    } else if (layer.kind === 'concat') {
      kept.push({ ...layer, inputs: layer.inputs.map(source) });
    } else if (layer.kind === 'max_pool') {
      kept.push({ ...layer, kind: 'average_pool', input: source(layer.input), countIncludePad: false });
    } else {
      kept.push('input' in layer ? { ...layer, input: source(layer.input) } : layer);
    }
  }
  return { layers: kept };
}
