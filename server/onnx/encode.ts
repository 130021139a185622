import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { GraphProto, ModelProto, TensorProto } from '../../generated/onnx/onnx.js';
import type { SerializedClassifier } from '../store/classifier_file.js';
import type { Initializer } from './graph_builder.js';

/** Numbers of the fields of onnx.proto that are written here. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_RAW_DATA = 9;

/**
 * The bytes of a model. Weights are hundreds of megabytes, so the encoder does not see them: the fields of a protobuf message may come in
 * any order and in pieces, and each tensor's data stand behind a tag and a length of their own.
 *
 * @param model without its graph
 * @param graph without its initializers
 */
export function encodeModel(model: ModelProto, graph: GraphProto, initializers: readonly Initializer[]): SerializedClassifier {
  const graphParts = [GraphProto.encode(graph).finish(), ...initializers.flatMap(initializerParts)];
  const parts = [ModelProto.encode(model).finish(), fieldHeader(MODEL_GRAPH, size(graphParts)), ...graphParts];
  return { totalBytes: size(parts), parts };
}

function initializerParts({ name, dataType, shape, data }: Initializer): Uint8Array[] {
  const description = TensorProto.encode(TensorProto.fromPartial({ name, dataType, dims: shape.map(BigInt) })).finish();
  const tensor = [description, fieldHeader(TENSOR_RAW_DATA, data.byteLength), data];
  return [fieldHeader(GRAPH_INITIALIZER, size(tensor)), ...tensor];
}

/** Tag and length of a field of messages or bytes. */
function fieldHeader(field: number, bytes: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(bytes).finish();
}

function size(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.byteLength, 0);
}
