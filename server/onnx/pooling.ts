import type { AveragePoolLayer, Extent, MaxPoolLayer } from '../../native/graph.js';
import { type Attributes, type GraphBuilder, int, ints } from './graph_builder.js';

/** Height and width before and after a pool. */
export interface PoolExtents {
  readonly input: Extent;
  readonly output: Extent;
}

/**
 * ONNX has a ceil_mode, too, but runtimes disagree about windows that reach over the edge. So it is not used: the padding at the end is
 * as wide as the last window needs.
 */
export function maxPool(builder: GraphBuilder, layer: MaxPoolLayer, input: string, extents: PoolExtents): string {
  // The padding of a maximum counts as minus infinity.
  return builder.node('MaxPool', layer.name, [input], window(layer, endPadding(layer, extents), layer.padding));
}

/** The divisor counts the layer's own padding where it says so, but never what a last window reaches beyond it. */
export function averagePool(builder: GraphBuilder, layer: AveragePoolLayer, input: string, extents: PoolExtents): string {
  const { name, padding, countIncludePad } = layer;
  const [height, width] = padding;
  const end = endPadding(layer, extents);
  const reachesOver = end[0] > height || end[1] > width;
  if (!countIncludePad || !reachesOver) {
    const attributes = { ...window(layer, end, padding), count_include_pad: int(countIncludePad ? 1 : 0) };
    return builder.node('AveragePool', name, [input], attributes);
  }
  // Zeros that count become part of the image, those that do not stay padding.
  const padded = builder.node('Pad', `${name}.padded`, [
    input,
    builder.integers(`${name}.pads`, [0, 0, height, width, 0, 0, height, width]),
  ]);
  const beyond: Extent = [end[0] - height, end[1] - width];
  return builder.node('AveragePool', name, [padded], { ...window(layer, beyond, [0, 0]), count_include_pad: int(0) });
}

/** Padding at the end of both axes with which as many windows fit as the output has. */
function endPadding({ kernel, stride, padding }: MaxPoolLayer | AveragePoolLayer, { input, output }: PoolExtents): Extent {
  const along = (axis: 0 | 1): number => {
    const needed = (output[axis] - 1) * stride[axis] + kernel[axis] - input[axis] - padding[axis];
    return Math.max(padding[axis], needed);
  };
  return [along(0), along(1)];
}

function window({ kernel, stride }: MaxPoolLayer | AveragePoolLayer, end: Extent, begin: Extent): Attributes {
  return { kernel_shape: ints(...kernel), strides: ints(...stride), pads: ints(...begin, ...end) };
}
