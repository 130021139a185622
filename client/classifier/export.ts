import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import { PixelFormat } from '../../generated/dlclassifier/v1/image.js';
import { ExportFormat } from '../../generated/dlclassifier/v1/weights.js';
import type { Connection } from '../transport/connection.js';
import { receiveBytes } from '../transport/receive_bytes.js';
import { type RepeatableCallOptions, repeatable } from '../transport/retry.js';

export interface ExportOnnxOptions extends RepeatableCallOptions {
  /** What the model takes: pixels of 8 bits, 0..255, or numbers -127..128. @default 'uint8' */
  readonly pixels?: 'uint8' | 'float32' | undefined;
}

export function exportSafetensors(connection: Connection, classifier: string, options: RepeatableCallOptions): Promise<Buffer> {
  const request = { classifier, format: ExportFormat.EXPORT_FORMAT_SAFETENSORS, pixels: PixelFormat.PIXEL_FORMAT_UNSPECIFIED };
  return repeatable(options, () => receiveBytes(connection.download(service.exportClassifier, request, options)));
}

export function exportOnnx(connection: Connection, classifier: string, options: ExportOnnxOptions): Promise<Buffer> {
  const pixels = options.pixels === 'float32' ? PixelFormat.PIXEL_FORMAT_FLOAT32 : PixelFormat.PIXEL_FORMAT_UINT8;
  const request = { classifier, format: ExportFormat.EXPORT_FORMAT_ONNX, pixels };
  return repeatable(options, () => receiveBytes(connection.download(service.exportClassifier, request, options)));
}
