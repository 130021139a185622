import { PixelFormat } from '../../generated/dlclassifier/v1/image.js';
import { type ExportClassifierRequest, type ExportClassifierResponse, ExportFormat } from '../../generated/dlclassifier/v1/weights.js';
import type { Classifier } from '../classifier/classifier.js';
import { refuse } from '../errors/refusal.js';
import type { ImageType } from '../onnx/layers.js';
import { onnxModel } from '../onnx/model.js';
import { encodeTensorFile, type SerializedClassifier } from '../store/classifier_file.js';
import type { CallContext } from './context.js';
import { bytesMessages } from './send_bytes.js';

/** ExportClassifier: the weights alone, or a model that other programs run. */
export async function* exportClassifier(
  request: ExportClassifierRequest,
  { server }: CallContext,
): AsyncGenerator<ExportClassifierResponse> {
  const classifier = server.handles.get('classifier', request.classifier);
  yield* bytesMessages(await make(classifier, request));
}

function make(classifier: Classifier, { format, pixels }: ExportClassifierRequest): Promise<SerializedClassifier> {
  switch (format) {
    case ExportFormat.EXPORT_FORMAT_SAFETENSORS:
      return weightsFile(classifier);
    case ExportFormat.EXPORT_FORMAT_ONNX:
      return modelFile(classifier, imageType(pixels));
    default:
      throw refuse('INVALID_REQUEST', {
        field: 'format',
        problem: 'it names no format; give EXPORT_FORMAT_SAFETENSORS or EXPORT_FORMAT_ONNX',
      });
  }
}

function imageType(pixels: PixelFormat): ImageType {
  switch (pixels) {
    case PixelFormat.PIXEL_FORMAT_UNSPECIFIED:
    case PixelFormat.PIXEL_FORMAT_UINT8:
      return 'uint8';
    case PixelFormat.PIXEL_FORMAT_FLOAT32:
      return 'float32';
    default:
      throw refuse('INVALID_REQUEST', { field: 'pixels', problem: 'a model takes PIXEL_FORMAT_UINT8 or PIXEL_FORMAT_FLOAT32' });
  }
}

async function modelFile(classifier: Classifier, images: ImageType): Promise<SerializedClassifier> {
  const { record, layers } = await classifier.toRecordWithLayers();
  return onnxModel(record, layers, images);
}

/** No optimiser state: what is left is what PyTorch's strict loading takes. */
async function weightsFile(classifier: Classifier): Promise<SerializedClassifier> {
  const { network, settings, tensors, step } = await classifier.toRecord();
  const metadata = new Map([
    ['format', 'pt'],
    ['network', network.name],
    ['classes', JSON.stringify(settings.classes)],
  ]);
  const weights = tensors.filter(({ name }) => !name.includes('/'));
  return encodeTensorFile(metadata, weights, step);
}
