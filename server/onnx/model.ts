import { TensorProto_DataType as DataType, GraphProto, ModelProto, ValueInfoProto } from '../../generated/onnx/onnx.js';
import type { LayerInfo } from '../../native/binding.js';
import type { Extent } from '../../native/graph.js';
import { VERSION } from '../../package/root.js';
import { networkGraph } from '../classifier/plan.js';
import type { SerializedClassifier } from '../store/classifier_file.js';
import type { ClassifierRecord } from '../store/classifier_record.js';
import { encodeModel } from './encode.js';
import { GraphBuilder } from './graph_builder.js';
import { CONFIDENCES, IMAGES, type ImageType, LayerTranslation } from './layers.js';

/** Of 2021: runtimes of the last years have it, and all that the layers need is in it. */
const OPSET_VERSION = 17n;
const IR_VERSION = 8n;

/**
 * A classifier as an ONNX model: images (batch, height, width, channels) -> confidences (batch, classes), for any batch size.
 *
 * @param layers of the same classifier, for their shapes
 */
export function onnxModel(record: ClassifierRecord, layers: readonly LayerInfo[], images: ImageType): SerializedClassifier {
  const { network, settings } = record;
  const builder = new GraphBuilder();
  for (const { name, shape, data } of record.tensors.filter(isWeight)) builder.floats(name, shape, data);
  const extents = new Map(layers.map(({ name, outputShape: [, height, width] }): [string, Extent] => [name, [height, width]]));
  const translation = new LayerTranslation(builder, images, extents);
  for (const layer of networkGraph(network, settings).layers) translation.add(layer);

  const classCount = settings.classes.length || network.defaultClassCount;
  const pixels = images === 'uint8' ? DataType.UINT8 : DataType.FLOAT;
  const graph = GraphProto.fromPartial({
    name: network.name,
    node: builder.nodes,
    input: [tensorType(IMAGES, pixels, [settings.imageHeight, settings.imageWidth, settings.imageChannels])],
    output: [tensorType(CONFIDENCES, DataType.FLOAT, [classCount])],
  });
  const model = ModelProto.fromPartial({
    irVersion: IR_VERSION,
    opsetImport: [{ domain: '', version: OPSET_VERSION }],
    producerName: 'dl-classifier',
    producerVersion: VERSION,
    metadataProps: Object.entries(metadata(record, images)).map(([key, value]) => ({ key, value })),
  });
  return encodeModel(model, graph, builder.initializers);
}

/** Momentum and other state of the optimiser is named `momentum/conv1.weight`. */
function isWeight({ name }: { readonly name: string }): boolean {
  return !name.includes('/');
}

/** What a program needs to know that has the model alone. */
function metadata({ network, settings, step }: ClassifierRecord, images: ImageType): Record<string, string> {
  const { classes, imageChannels, metaData } = settings;
  const colours = imageChannels === 3 ? 'red, green, blue' : 'grey';
  const values = images === 'uint8' ? 'integers 0..255' : 'numbers -127..128, which are 0..255 less 127';
  return {
    network: network.name,
    ...(classes.length === 0 ? {} : { classes: JSON.stringify(classes) }),
    images: `batch, rows, columns, ${colours}: ${values}`,
    step: String(step),
    ...(metaData.size === 0 ? {} : { meta_data: JSON.stringify(Object.fromEntries(metaData)) }),
  };
}

/** A tensor of any batch size; `shape` is that of one image's. */
function tensorType(name: string, elemType: DataType, shape: readonly number[]): ValueInfoProto {
  const dim = [
    { value: { $case: 'dimParam' as const, value: 'batch' } },
    ...shape.map((size) => ({ value: { $case: 'dimValue' as const, value: BigInt(size) } })),
  ];
  return ValueInfoProto.fromPartial({ name, type: { value: { $case: 'tensorType', value: { elemType, shape: { dim } } } } });
}
