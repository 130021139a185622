import type { BatchNormLayer, ConvolutionLayer, Extent, FullyConnectedLayer, InputLayer, Layer } from '../../native/graph.js';
import { float, type GraphBuilder, int, ints } from './graph_builder.js';
import { averagePool, maxPool } from './pooling.js';

/** A layer's output in the ONNX graph. */
export interface Value {
  readonly name: string;
  /** (batch, features) where true, else (batch, channels, height, width). */
  readonly flat: boolean;
  /** Height and width; 1 x 1 where it is flat. */
  readonly extent: Extent;
}

/** The pixels that the model takes: 0..255, or -127..128 as the contract has them. */
export type ImageType = 'uint8' | 'float32';

/** Names of the graph's input and output. */
export const IMAGES = 'images';
export const CONFIDENCES = 'confidences';

/** Of a grey value g of 8 bits the network reads g - 127. */
const OFFSET = 127;

/** Translates the layers of a network one by one. */
export class LayerTranslation {
  readonly #values = new Map<string, Value>();

  /** @param extents height and width of each layer's output, by its name */
  constructor(
    private readonly builder: GraphBuilder,
    private readonly images: ImageType,
    private readonly extents: ReadonlyMap<string, Extent>,
  ) {}

  add(layer: Layer): void {
    this.#values.set(layer.name, this.#translate(layer));
  }

  #translate(layer: Layer): Value {
    const { builder } = this;
    switch (layer.kind) {
      case 'input':
        return this.#spatial(layer, this.#input(layer));
      case 'convolution':
        return this.#spatial(layer, this.#convolution(layer));
      case 'batch_norm':
        return this.#like(layer.input, this.#batchNorm(layer));
      case 'relu':
        return this.#like(layer.input, this.#relu(layer.name, layer.max, this.#value(layer.input).name));
      case 'add':
        return this.#spatial(
          layer,
          builder.node(
            'Add',
            layer.name,
            layer.inputs.map((input) => this.#asSpatial(input)),
          ),
        );
      case 'concat': {
        const inputs = layer.inputs.map((input) => this.#asSpatial(input));
        return this.#spatial(layer, builder.node('Concat', layer.name, inputs, { axis: int(1) }));
      }
      case 'max_pool':
        return this.#spatial(layer, maxPool(builder, layer, this.#asSpatial(layer.input), this.#poolExtents(layer)));
      case 'average_pool':
        return this.#spatial(layer, averagePool(builder, layer, this.#asSpatial(layer.input), this.#poolExtents(layer)));
      case 'global_average_pool':
        return this.#spatial(layer, builder.node('GlobalAveragePool', layer.name, [this.#asSpatial(layer.input)]));
      case 'dropout':
        // Applying changes nothing.
        return this.#value(layer.input);
      case 'fully_connected':
        return { name: this.#fullyConnected(layer), flat: true, extent: [1, 1] };
      case 'softmax':
        return { name: builder.node('Softmax', CONFIDENCES, [this.#asFlat(layer.input)], { axis: int(1) }), flat: true, extent: [1, 1] };
    }
  }

  /** The preprocessing: v = g - 127 for images of 8 bits, then v * scale + shift for each channel. */
  #input({ name, scale, shift }: InputLayer): string {
    const { builder } = this;
    const perChannel = (suffix: string, values: readonly number[]) =>
      builder.floats(`${name}.${suffix}`, [1, values.length, 1, 1], Float32Array.from(values));
    let value = builder.node('Transpose', `${name}.nchw`, [IMAGES], { perm: ints(0, 3, 1, 2) });
    if (this.images === 'uint8') {
      value = builder.node('Cast', `${name}.float`, [value], { to: int(1) });
      value = builder.node('Sub', `${name}.centred`, [value, builder.floats(`${name}.offset`, [], Float32Array.of(OFFSET))]);
    }
    value = builder.node('Mul', `${name}.scaled`, [value, perChannel('scale', scale)]);
    return builder.node('Add', name, [value, perChannel('shift', shift)]);
  }

  #convolution({ name, input, kernel, stride, padding, groups, bias }: ConvolutionLayer): string {
    const tensors = bias ? [`${name}.weight`, `${name}.bias`] : [`${name}.weight`];
    return this.builder.node('Conv', name, [this.#asSpatial(input), ...tensors], {
      kernel_shape: ints(...kernel),
      strides: ints(...stride),
      pads: ints(...padding, ...padding),
      group: int(groups),
    });
  }

  #batchNorm({ name, input, epsilon }: BatchNormLayer): string {
    const tensors = ['weight', 'bias', 'running_mean', 'running_var'].map((tensor) => `${name}.${tensor}`);
    return this.builder.node('BatchNormalization', name, [this.#value(input).name, ...tensors], { epsilon: float(epsilon) });
  }

  #relu(name: string, max: number | null, input: string): string {
    const { builder } = this;
    if (max === null) return builder.node('Relu', name, [input]);
    const bounds = [builder.floats(`${name}.min`, [], Float32Array.of(0)), builder.floats(`${name}.max`, [], Float32Array.of(max))];
    return builder.node('Clip', name, [input, ...bounds]);
  }

  #fullyConnected({ name, input, bias }: FullyConnectedLayer): string {
    const tensors = bias ? [`${name}.weight`, `${name}.bias`] : [`${name}.weight`];
    return this.builder.node('Gemm', name, [this.#asFlat(input), ...tensors], { transB: int(1) });
  }

  #value(name: string): Value {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`no layer ${name} before its reader`);
    return value;
  }

  #spatial({ name }: Layer, output: string): Value {
    return { name: output, flat: false, extent: this.#extent(name) };
  }

  #like(input: string, name: string): Value {
    return { ...this.#value(input), name };
  }

  #extent(layer: string): Extent {
    const extent = this.extents.get(layer);
    if (extent === undefined) throw new Error(`no shape of layer ${layer}`);
    return extent;
  }

  #poolExtents({ name, input }: { readonly name: string; readonly input: string }) {
    return { input: this.#value(input).extent, output: this.#extent(name) };
  }

  #asFlat(layer: string): string {
    const { name, flat } = this.#value(layer);
    return flat ? name : this.#once('Flatten', `${name}.flat`, () => [name], { axis: int(1) });
  }

  #asSpatial(layer: string): string {
    const { name, flat } = this.#value(layer);
    if (!flat) return name;
    return this.#once('Unsqueeze', `${name}.spatial`, () => [name, this.builder.integers(`${name}.spatial.axes`, [2, 3])], {});
  }

  /** Two layers may read the same value in another form. */
  #once(opType: string, name: string, inputs: () => string[], attributes: Parameters<GraphBuilder['node']>[3]): string {
    const exists = this.builder.nodes.some((node) => node.name === name);
    return exists ? name : this.builder.node(opType, name, inputs(), attributes);
  }
}
