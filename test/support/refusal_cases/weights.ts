import { PixelFormat } from '../../../generated/dlclassifier/v1/image.js';
import type { ImportWeightsHeader } from '../../../generated/dlclassifier/v1/weights.js';
import { ExportFormat } from '../../../generated/dlclassifier/v1/weights.js';
import { download, upload } from '../calls.js';
import { constant, tensorFile } from '../weight_files.js';
import { importMessages } from '../wire.js';
import type { Case, Situation } from './case.js';

const importWeights = ({ client }: Situation, bytes: Uint8Array, header: Partial<ImportWeightsHeader>) =>
  upload(client, 'importWeights', importMessages(bytes, { network: 'resnet18', source: 'mine.safetensors', ...header }));

const weights = tensorFile([constant('conv1.weight', [64, 3, 3, 3]), constant('stem.weight', [1])]);

export const weightCases: readonly Case[] = [
  {
    what: 'weights that are not those of the network',
    reason: 'WEIGHTS_DO_NOT_FIT',
    metadata: {
      file_name: 'mine.safetensors',
      network: 'resnet18',
      problem: /^101 tensors are missing: .*"conv1.weight" has the shape \(64, 3, 3, 3\).*no tensor "stem.weight"$/,
      missing: /^bn1\.\{weight,bias,running_mean,running_var\}\n.*\nfc\.\{weight,bias\}$/s,
      extra: 'stem.weight',
      misshapen: 'conv1.weight: 64x3x3x3 instead of 64x3x7x7',
    },
    act: (s) => importWeights(s, weights, {}),
  },
  {
    what: "HALCON's own file as weights",
    reason: 'FILE_NOT_OURS',
    metadata: { file_name: 'network.hdl', problem: /closed format/, remedy: /dlc import/ },
    act: (s) => importWeights(s, Buffer.from('what HALCON writes'), { source: 'network.hdl' }),
  },
  {
    what: 'weights for a network that there is not',
    reason: 'FILE_NOT_FOUND',
    metadata: { file_name: 'resnet34', problem: /no network "resnet34"; it has alexnet, compact, enhanced, mobilenet_v2/ },
    act: (s) => importWeights(s, weights, { network: 'resnet34' }),
  },
  {
    what: 'trained weights of a network that has none',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'file_name', problem: /fresh weights only/ },
    act: (s) => importWeights(s, weights, { network: 'compact' }),
  },
  {
    what: 'classes of trained weights',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'classes', problem: /name a classifier/ },
    act: (s) => importWeights(s, weights, { classes: ['a', 'b'] }),
  },
  {
    what: 'weights to be stored under a name that a file cannot have',
    reason: 'WRONG_VALUE',
    metadata: { name: 'file_name', got: '"../x"', wanted: /letters, digits/ },
    act: (s) => importWeights(s, weights, { fileName: '../x' }),
  },
  {
    what: 'an export in no format',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'format', problem: /EXPORT_FORMAT_ONNX/ },
    act: ({ client, classifier }) => {
      const format = ExportFormat.EXPORT_FORMAT_UNSPECIFIED;
      return download(client, 'exportClassifier', { classifier, format, pixels: PixelFormat.PIXEL_FORMAT_UINT8 });
    },
  },
  {
    what: 'a model that takes image files',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'pixels', problem: /PIXEL_FORMAT_FLOAT32/ },
    act: ({ client, classifier }) => {
      const format = ExportFormat.EXPORT_FORMAT_ONNX;
      return download(client, 'exportClassifier', { classifier, format, pixels: PixelFormat.PIXEL_FORMAT_ENCODED });
    },
  },
];
