import {
  AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  NodeProto,
} from '../../generated/onnx/onnx.js';

/** A tensor that is part of the model. */
export interface Initializer {
  readonly name: string;
  readonly dataType: DataType;
  readonly shape: readonly number[];
  /** Little endian, row by row. */
  readonly data: Uint8Array;
}

/** What a node is told beside its inputs. */
export type Attributes = Readonly<Record<string, AttributeProto>>;

/** Collects the nodes of an ONNX graph in the order of computation, and the tensors that they read. */
export class GraphBuilder {
  readonly nodes: NodeProto[] = [];
  readonly initializers: Initializer[] = [];

  /** @returns the output's name, which is the node's */
  node(opType: string, name: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const attribute = Object.entries(attributes).map(([key, value]) => ({ ...value, name: key }));
    this.nodes.push(NodeProto.fromPartial({ opType, name, input: [...inputs], output: [name], attribute }));
    return name;
  }

  /** @returns its name */
  floats(name: string, shape: readonly number[], values: Float32Array): string {
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.initializers.push({ name, dataType: DataType.FLOAT, shape, data });
    return name;
  }

  /** @returns its name */
  integers(name: string, values: readonly number[]): string {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.initializers.push({ name, dataType: DataType.INT64, shape: [values.length], data });
    return name;
  }
}

export function int(value: number): AttributeProto {
  return AttributeProto.fromPartial({ type: AttributeType.INT, i: BigInt(value) });
}

export function ints(...values: readonly number[]): AttributeProto {
  return AttributeProto.fromPartial({ type: AttributeType.INTS, ints: values.map(BigInt) });
}

export function float(value: number): AttributeProto {
  return AttributeProto.fromPartial({ type: AttributeType.FLOAT, f: value });
}
