import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';
import sharp from 'sharp';
import type { TrainBatchHeader, TrainBatchRequest } from '../generated/dlclassifier/v1/classifier.js';
import { type Label, PixelFormat } from '../generated/dlclassifier/v1/image.js';
import { type CatalogueEntry, catalogue, type Reason } from '../server/errors/catalogue.js';
import { call, upload } from './support/calls.js';
import { type Batch, noiseBatch, readCompact, serialize, trainMessages } from './support/classifier.js';
import {
  applyMessages,
  deserializeMessages,
  getParams,
  named,
  refusalOf,
  setParams,
  testOverTheWire,
  train,
  type WireContext,
} from './support/wire.js';

const MIB = 2 ** 20;
const limits = { memory: 64 * MIB, upload: MIB, uploads: 6 * MIB, serialized: 8 * MIB, applyImages: 8, classifiers: 4 };

const test = testOverTheWire([
  ...['--max-memory-bytes', String(limits.memory)],
  ...['--max-upload-bytes', String(limits.upload)],
  ...['--max-upload-bytes-total', String(limits.uploads)],
  ...['--max-serialized-bytes', String(limits.serialized)],
  ...['--max-apply-images', String(limits.applyImages)],
  ...['--max-classifiers', String(limits.classifiers)],
]);

interface Situation extends WireContext {
  /** compact, 16 x 16 x 3, batches of 4, three classes, one step made. */
  readonly classifier: string;
  /** Handle of that step's result. */
  readonly trainResult: string;
}

/** A call that is refused, and with what. */
interface Case {
  readonly what: string;
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string | RegExp>>;
  /** Brings the classifier to where the call is refused; the comparison begins after it. */
  prepare?(situation: Situation): Promise<unknown>;
  act(situation: Situation): Promise<unknown>;
}

const PNG = (width: number, height: number, background: string) =>
  sharp({ create: { width, height, channels: 4, background } })
    .png()
    .toBuffer();

async function encodedBatch(...files: (Buffer | Promise<Buffer>)[]): Promise<Batch> {
  const bytes = await Promise.all(files);
  const batch = noiseBatch();
  const encodedSizes = bytes.map(({ length }) => length);
  return {
    ...batch,
    images: { ...batch.images, format: PixelFormat.PIXEL_FORMAT_ENCODED, imageCount: files.length, encodedSizes },
    pixels: Buffer.concat(bytes),
  };
}

const blue = () => PNG(16, 16, '#0000ff');

function floatBatch(value: number, image: number): Batch {
  const batch = noiseBatch();
  const pixels = new Float32Array(4 * 16 * 16 * 3);
  pixels[image * 16 * 16 * 3 + 5] = value;
  return { ...batch, images: { ...batch.images, format: PixelFormat.PIXEL_FORMAT_FLOAT32 }, pixels: new Uint8Array(pixels.buffer) };
}

function batchWith(images: Partial<Batch['images']>): Batch {
  const batch = noiseBatch();
  return { ...batch, images: { ...batch.images, ...images } };
}

/** A batch whose second label is another. */
function labelled(label: Label['label']): Batch {
  const batch = noiseBatch();
  return { ...batch, labels: batch.labels.with(1, { label }) };
}

/** A TrainBatch call with other messages than it should have. */
function trainWith({ client, classifier }: Situation, change: (messages: TrainBatchRequest[]) => TrainBatchRequest[]) {
  return upload(client, 'trainBatch', change(trainMessages(classifier)));
}

function trainWithHeader(situation: Situation, header: Partial<TrainBatchHeader>) {
  return trainWith(situation, ([first, ...rest]) => {
    if (first?.header === undefined) throw new Error('the first message has no header');
    return [{ ...first, header: { ...first.header, ...header } }, ...rest];
  });
}

const read = ({ client }: Situation, fileName: string) =>
  call(client, 'readClassifier', { fileName, pretrained: undefined, seed: undefined });
const write = ({ client, classifier }: Situation, fileName: string) => call(client, 'writeClassifier', { classifier, fileName });

async function writeChanged(situation: Situation, name: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  const { fileName } = await write(situation, name);
  const path = join(situation.daemon.models, fileName);
  await writeFile(path, change(await readFile(path)));
}

function withBitFlipped(bytes: Buffer, position: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[position] = (changed[position] ?? 0) ^ 1;
  return changed;
}

const HANDLES: readonly Case[] = [
  {
    what: 'a handle that was never given out',
    reason: 'UNKNOWN_HANDLE',
    metadata: { handle_kind: 'classifier' },
    act: ({ client }) => getParams(client, 'AAAAAAAAAAAAAAAAAAAAAA'),
  },
  {
    what: 'a handle that was cleared',
    reason: 'HANDLE_CLEARED',
    metadata: { handle_kind: 'train_result' },
    prepare: ({ client, trainResult }) => call(client, 'clearTrainResult', { trainResults: [trainResult] }),
    act: ({ client, trainResult }) => call(client, 'getTrainResult', { trainResult, names: [] }),
  },
  {
    what: 'a handle of another kind',
    reason: 'WRONG_HANDLE_KIND',
    metadata: { handle_kind: 'train_result', wanted_kind: 'classifier' },
    act: ({ client, trainResult }) => train(client, trainResult),
  },
];

const FILES: readonly Case[] = [
  {
    what: 'a file that is not there',
    reason: 'FILE_NOT_FOUND',
    metadata: { file_name: 'nothing' },
    act: (s) => read(s, 'nothing'),
  },
  {
    what: 'a network that this server does not have',
    reason: 'FILE_NOT_FOUND',
    metadata: { file_name: 'pretrained_dl_classifier_enhanced.hdl', problem: /no network "enhanced"; it has compact, resnet18/ },
    act: (s) => read(s, 'pretrained_dl_classifier_enhanced.hdl'),
  },
  {
    what: 'trained weights that nobody has put there',
    reason: 'FILE_NOT_FOUND',
    metadata: { file_name: 'resnet18', problem: /pretrained\/resnet18\.safetensors/, remedy: /torchvision.*pretrained = false/ },
    act: (s) => read(s, 'resnet18'),
  },
  {
    what: 'a path instead of a name',
    reason: 'FILE_NOT_FOUND',
    metadata: { file_name: '../etc/passwd', problem: /letters, digits/ },
    act: (s) => read(s, '../etc/passwd'),
  },
  {
    what: 'a stored classifier with one bit changed',
    reason: 'FILE_DAMAGED',
    metadata: { file_name: 'flipped.safetensors', problem: /checksum of its data/ },
    prepare: (s) => writeChanged(s, 'flipped', (bytes) => withBitFlipped(bytes, bytes.length - 1)),
    act: (s) => read(s, 'flipped'),
  },
  {
    what: 'a stored classifier that was cut off',
    reason: 'FILE_DAMAGED',
    metadata: { file_name: 'cut.safetensors', problem: /the file has/ },
    prepare: (s) => writeChanged(s, 'cut', (bytes) => bytes.subarray(0, -1000)),
    act: (s) => read(s, 'cut'),
  },
  {
    what: 'bytes that were damaged on the way to the caller and back',
    reason: 'FILE_DAMAGED',
    metadata: { file_name: 'the serialized classifier', problem: /checksum/ },
    act: async ({ client, classifier }) => {
      const bytes = withBitFlipped(await serialize(client, classifier), 100_000);
      return upload(client, 'deserializeClassifier', deserializeMessages(bytes));
    },
  },
  {
    what: "HALCON's own file",
    reason: 'FILE_NOT_OURS',
    metadata: { file_name: 'classifier.hdl', problem: /closed format/, remedy: /read a network instead/ },
    prepare: ({ daemon }) => writeFile(join(daemon.models, 'classifier.hdl'), 'what HALCON writes, whatever that is'),
    act: (s) => read(s, 'classifier.hdl'),
  },
  {
    what: 'bytes that are no classifier',
    reason: 'FILE_NOT_OURS',
    metadata: { file_name: 'the serialized classifier', problem: /header claims/ },
    act: ({ client }) => upload(client, 'deserializeClassifier', deserializeMessages(Buffer.from('no classifier at all'))),
  },
  {
    what: 'a classifier of a newer version',
    reason: 'FILE_TOO_NEW',
    metadata: { file_name: 'new.safetensors', got_version: '2', supported_version: '1' },
    prepare: (s) => {
      return writeChanged(s, 'new', (bytes) =>
        Buffer.from(bytes.toString('latin1').replace('"format_version":"1"', '"format_version":"2"'), 'latin1'),
      );
    },
    act: (s) => read(s, 'new'),
  },
  {
    what: 'a name that a file cannot have',
    reason: 'WRONG_VALUE',
    metadata: { name: 'file_name', got: '"../x"', wanted: /letters, digits/ },
    act: (s) => write(s, '../x'),
  },
  {
    what: 'a file that cannot be written',
    reason: 'FILE_NOT_WRITABLE',
    metadata: { file_name: 'taken.safetensors', problem: /^E[A-Z]+$/ },
    prepare: ({ daemon }) => mkdir(join(daemon.models, 'taken.safetensors', 'inside'), { recursive: true }),
    act: (s) => write(s, 'taken'),
  },
];

const PARAMETERS: readonly Case[] = [
  {
    what: 'a parameter that there is not',
    reason: 'UNKNOWN_PARAMETER',
    metadata: { name: 'learning_rat', problem: /no such parameter; those to set are classes, / },
    act: ({ client, classifier }) => setParams(client, classifier, named('momentum', 0.5), named('learning_rat', 0.1)),
  },
  {
    what: 'a parameter that can only be read',
    reason: 'UNKNOWN_PARAMETER',
    metadata: { name: 'step', problem: /can be read, but not set/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('momentum', 0.5), named('step', 0n)),
  },
  {
    what: 'a parameter that can only be set',
    reason: 'UNKNOWN_PARAMETER',
    metadata: { name: 'runtime_init', problem: /can be set, but not read/ },
    act: ({ client, classifier }) => getParams(client, classifier, 'momentum', 'runtime_init'),
  },
  {
    what: 'a train result that there is not',
    reason: 'UNKNOWN_PARAMETER',
    metadata: { name: 'accuracy', problem: /there are loss, / },
    act: ({ client, trainResult }) => call(client, 'getTrainResult', { trainResult, names: ['loss', 'accuracy'] }),
  },
  {
    what: 'a value of the wrong type',
    reason: 'WRONG_TYPE',
    metadata: { name: 'batch_size', got: 'a real number', wanted: 'an integer' },
    act: ({ client, classifier }) => setParams(client, classifier, named('momentum', 0.5), named('batch_size', 4)),
  },
  {
    what: 'a value that is left out',
    reason: 'WRONG_TYPE',
    metadata: { name: 'batch_size', got: 'a value that is left out', wanted: 'a value' },
    act: ({ client, classifier }) => setParams(client, classifier, { name: 'batch_size', values: [{ value: undefined }] }),
  },
  {
    what: 'a value out of its range, after others that are allowed',
    reason: 'WRONG_VALUE',
    metadata: { name: 'momentum', got: '1', wanted: 'a number in [0, 1)' },
    act: ({ client, classifier }) =>
      setParams(client, classifier, named('classes', 'x', 'y'), named('image_dimensions', 20n, 20n, 1n), named('momentum', 1)),
  },
  {
    what: 'a precision of a GPU',
    reason: 'WRONG_VALUE',
    metadata: { name: 'precision', got: 'tf32', wanted: /^float32( or bfloat16)?$/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('precision', 'tf32')),
  },
  {
    what: 'another device than there is',
    reason: 'WRONG_VALUE',
    metadata: { name: 'gpu', got: '1', wanted: '0' },
    act: ({ client, classifier }) => setParams(client, classifier, named('gpu', 1n)),
  },
  {
    what: 'too few values',
    reason: 'WRONG_VALUE_COUNT',
    metadata: { name: 'image_dimensions', got: '2', wanted: '3' },
    act: ({ client, classifier }) => setParams(client, classifier, named('image_dimensions', 32n, 32n)),
  },
  {
    what: 'no sub-batch',
    reason: 'INVALID_BATCH_SIZE_MULTIPLIER',
    metadata: { got: '0' },
    act: ({ client, classifier }) => setParams(client, classifier, named('batch_size_multiplier', 0n)),
  },
  {
    what: 'a class twice',
    reason: 'DUPLICATE_CLASSES',
    metadata: { class: 'a', first_index: '0', second_index: '2' },
    act: ({ client, classifier }) => setParams(client, classifier, named('classes', 'a', 'b', 'a')),
  },
  {
    what: 'an image too narrow for the network',
    reason: 'IMAGE_SIZE_TOO_SMALL',
    metadata: { name: 'image_width', got: '14', minimum: '15' },
    act: ({ client, classifier }) => setParams(client, classifier, named('image_width', 14n)),
  },
  {
    what: 'an image too low for the network',
    reason: 'IMAGE_SIZE_TOO_SMALL',
    metadata: { name: 'image_height', got: '3', minimum: '15' },
    act: ({ client, classifier }) => setParams(client, classifier, named('image_dimensions', 32n, 3n, 3n)),
  },
  {
    what: 'two channels',
    reason: 'UNSUPPORTED_CHANNELS',
    metadata: { got: '2' },
    act: ({ client, classifier }) => setParams(client, classifier, named('image_num_channels', 2n)),
  },
  {
    what: 'from one channel back to three',
    reason: 'CHANNELS_NOT_EXTENDABLE',
    metadata: {},
    prepare: ({ client, classifier }) => setParams(client, classifier, named('image_num_channels', 1n)),
    act: ({ client, classifier }) => setParams(client, classifier, named('image_num_channels', 3n)),
  },
  {
    what: 'a parameter twice in one call',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'params', problem: /momentum is named twice/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('momentum', 0.5), named('momentum', 0.6)),
  },
  {
    what: 'a batch size that does not fit into the memory, together with other classes',
    reason: 'DEVICE_MEMORY_EXHAUSTED',
    metadata: { largest_batch_size: /^[1-9]\d*$/, bytes: /^\d+$/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('classes', 'x', 'y'), named('batch_size', 1_000_000_000n)),
  },
  {
    what: 'a GPU',
    reason: 'NO_GPU',
    metadata: { problem: /CPU only/, remedy: /leave runtime at 'cpu'/ },
    act: ({ client, classifier }) => setParams(client, classifier, named('runtime', 'gpu')),
  },
];

const TRAINING: readonly Case[] = [
  {
    what: 'training without classes',
    reason: 'CLASSES_NOT_SET',
    metadata: {},
    act: async ({ client }) => {
      const { classifier } = await call(client, 'readClassifier', { fileName: 'compact', pretrained: undefined, seed: undefined });
      return train(client, classifier).finally(() => call(client, 'clearClassifier', { classifiers: [classifier] }));
    },
  },
  {
    what: 'a class that there is not',
    reason: 'INVALID_LABEL',
    metadata: { image: '1', got: '"middle"', wanted: 'one of classes' },
    act: ({ client, classifier }) => train(client, classifier, labelled({ $case: 'name', value: 'middle' })),
  },
  {
    what: 'an index beyond the classes',
    reason: 'INVALID_LABEL',
    metadata: { image: '1', got: '3', wanted: 'a name, or a position from 0 to 2' },
    act: ({ client, classifier }) => train(client, classifier, labelled({ $case: 'index', value: 3 })),
  },
  {
    what: 'a negative index',
    reason: 'INVALID_LABEL',
    metadata: { image: '1', got: '-1', wanted: 'a name, or a position from 0 to 2' },
    act: ({ client, classifier }) => train(client, classifier, labelled({ $case: 'index', value: -1 })),
  },
  {
    what: 'a label that is left out',
    reason: 'INVALID_LABEL',
    metadata: { image: '1', got: 'left out' },
    act: ({ client, classifier }) => train(client, classifier, labelled(undefined)),
  },
  {
    what: 'fewer labels than images',
    reason: 'INVALID_LABEL',
    metadata: { got_count: '3', wanted_count: '4' },
    act: ({ client, classifier }) => train(client, classifier, { ...noiseBatch(), labels: noiseBatch().labels.slice(1) }),
  },
  {
    what: 'fewer images than a batch has',
    reason: 'WRONG_IMAGE_COUNT',
    metadata: { got: '3', wanted: '4', batch_size: '4', batch_size_multiplier: '1' },
    act: ({ client, classifier }) => train(client, classifier, noiseBatch({ batchSize: 3 })),
  },
  {
    what: 'as many images as one sub-batch has',
    reason: 'WRONG_IMAGE_COUNT',
    metadata: { got: '4', wanted: '8', batch_size: '4', batch_size_multiplier: '2' },
    prepare: ({ client, classifier }) => setParams(client, classifier, named('batch_size_multiplier', 2n)),
    act: ({ client, classifier }) => train(client, classifier),
  },
  {
    what: 'no images',
    reason: 'WRONG_IMAGE_COUNT',
    metadata: { got: '0', wanted: '4', batch_size: '4', batch_size_multiplier: '1' },
    act: ({ client, classifier }) => train(client, classifier, { ...batchWith({ imageCount: 0 }), pixels: new Uint8Array(), labels: [] }),
  },
  {
    what: 'a step that diverges',
    reason: 'STEP_DIVERGED',
    metadata: { loss: /./, gradient_norm: /./ },
    prepare: ({ client, classifier }) => setParams(client, classifier, named('learning_rate', 1e30)),
    act: async ({ client, classifier }) => {
      await train(client, classifier);
      return train(client, classifier);
    },
  },
  {
    what: 'a batch for another step',
    reason: 'STEP_MISMATCH',
    metadata: { got: '0', wanted: '1' },
    act: (s) => trainWithHeader(s, { expectedStep: 0n }),
  },
  {
    what: 'a batch for a step that never comes',
    reason: 'STEP_MISMATCH',
    metadata: { got: '2', wanted: '1' },
    act: (s) => trainWithHeader(s, { expectedStep: 2n }),
  },
  {
    what: 'a request id that is too long',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'request_id', problem: /129 characters/ },
    act: (s) => trainWithHeader(s, { requestId: 'x'.repeat(129) }),
  },
];

const IMAGES: readonly Case[] = [
  {
    what: 'images too wide',
    reason: 'WRONG_IMAGE_WIDTH',
    metadata: { image: '0', got: '17', wanted: '16' },
    act: ({ client, classifier }) => train(client, classifier, batchWith({ width: 17 })),
  },
  {
    what: 'images too low',
    reason: 'WRONG_IMAGE_HEIGHT',
    metadata: { image: '0', got: '15', wanted: '16' },
    act: ({ client, classifier }) => train(client, classifier, batchWith({ height: 15 })),
  },
  {
    what: 'images of one channel',
    reason: 'WRONG_IMAGE_CHANNELS',
    metadata: { image: '0', got: '1', wanted: '3' },
    act: ({ client, classifier }) => train(client, classifier, batchWith({ channels: 1 })),
  },
  {
    what: 'images to be classified that are too wide',
    reason: 'WRONG_IMAGE_WIDTH',
    metadata: { image: '0', got: '17', wanted: '16' },
    act: ({ client, classifier }) => upload(client, 'applyClassifier', applyMessages(classifier, batchWith({ width: 17 }))),
  },
  {
    what: 'a file whose image is too wide',
    reason: 'WRONG_IMAGE_WIDTH',
    metadata: { image: '2', got: '20', wanted: '16' },
    act: async ({ client, classifier }) => train(client, classifier, await encodedBatch(blue(), blue(), PNG(20, 16, '#f00'), blue())),
  },
  {
    what: 'a file whose image is too high',
    reason: 'WRONG_IMAGE_HEIGHT',
    metadata: { image: '0', got: '20', wanted: '16' },
    act: async ({ client, classifier }) =>
      upload(client, 'applyClassifier', applyMessages(classifier, await encodedBatch(PNG(16, 20, '#f00')))),
  },
  {
    what: 'a file with a transparent image',
    reason: 'WRONG_IMAGE_CHANNELS',
    metadata: { image: '3', got: '4', wanted: '3' },
    act: async ({ client, classifier }) => train(client, classifier, await encodedBatch(blue(), blue(), blue(), PNG(16, 16, '#ff000080'))),
  },
  {
    what: 'a file that is no image',
    reason: 'IMAGE_UNDECODABLE',
    metadata: { image: '1', problem: /./ },
    act: async ({ client, classifier }) => train(client, classifier, await encodedBatch(blue(), Buffer.from('no image'), blue(), blue())),
  },
  {
    what: 'NaN in a float image',
    reason: 'IMAGE_VALUE_OUT_OF_RANGE',
    metadata: { image: '2', value: /nan/i },
    act: ({ client, classifier }) => train(client, classifier, floatBatch(Number.NaN, 2)),
  },
  {
    what: 'infinity in a float image',
    reason: 'IMAGE_VALUE_OUT_OF_RANGE',
    metadata: { image: '0', value: /^-inf/i },
    act: ({ client, classifier }) => upload(client, 'applyClassifier', applyMessages(classifier, floatBatch(Number.NEGATIVE_INFINITY, 0))),
  },
  {
    what: 'a value above the range of float images',
    reason: 'IMAGE_VALUE_OUT_OF_RANGE',
    metadata: { image: '3', value: /^128\.5/ },
    act: ({ client, classifier }) => train(client, classifier, floatBatch(128.5, 3)),
  },
  {
    what: 'no format',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.format', problem: /./ },
    act: ({ client, classifier }) => train(client, classifier, batchWith({ format: PixelFormat.PIXEL_FORMAT_UNSPECIFIED })),
  },
  {
    what: 'no description of the images',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images', problem: /left out/ },
    act: (s) => trainWithHeader(s, { images: undefined }),
  },
  {
    what: 'nothing to classify',
    reason: 'INVALID_REQUEST',
    metadata: { field: 'images.image_count', problem: /at least 1/ },
    act: ({ client, classifier }) => {
      const images = { ...noiseBatch().images, imageCount: 0 };
      return upload(client, 'applyClassifier', applyMessages(classifier, { images, pixels: new Uint8Array() }));
    },
  },
  {
    what: 'an image of a result that it does not have',
    reason: 'WRONG_VALUE',
    metadata: { name: 'image', got: '4', wanted: 'an index from 0 to 3' },
    act: async ({ client, classifier }) => {
      const { result } = await upload(client, 'applyClassifier', applyMessages(classifier, noiseBatch()));
      return call(client, 'getResult', { result, index: { $case: 'image', value: 4 }, names: [] });
    },
  },
];

const UPLOADS: readonly Case[] = [
  {
    what: 'an upload without a commit',
    reason: 'UPLOAD_TRUNCATED',
    metadata: { got: '3072', wanted: '3072' },
    act: (s) => trainWith(s, (messages) => messages.slice(0, -1)),
  },
  {
    what: 'an upload of too few bytes',
    reason: 'UPLOAD_TRUNCATED',
    metadata: { got: '3000', wanted: '3072' },
    act: (s) =>
      trainWith(s, ([header, , commit]) =>
        [header, { header: undefined, pixels: new Uint8Array(3000), commit: undefined }, commit].filter((m) => m !== undefined),
      ),
  },
  {
    what: 'an upload of too many bytes',
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: /3073 bytes came, 3072 were declared/ },
    act: (s) =>
      trainWith(s, ([header, , commit]) =>
        [header, { header: undefined, pixels: new Uint8Array(3073), commit: undefined }, commit].filter((m) => m !== undefined),
      ),
  },
  {
    what: 'an upload without a header',
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: /first message has no header/ },
    act: (s) => trainWith(s, (messages) => messages.slice(1)),
  },
  {
    what: 'an upload with two headers',
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: /second header/ },
    act: (s) => trainWith(s, (messages) => [...messages.slice(0, 1), ...messages]),
  },
  {
    what: 'files of which the sizes do not tell as many as there are',
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: '1 encoded_sizes for 4 image files' },
    act: ({ client, classifier }) =>
      train(client, classifier, batchWith({ format: PixelFormat.PIXEL_FORMAT_ENCODED, encodedSizes: [3072] })),
  },
  {
    what: 'bytes that changed on the way',
    reason: 'UPLOAD_CHECKSUM_MISMATCH',
    metadata: { got: /^[0-9a-f]{8}$/, wanted: '00000001' },
    act: (s) =>
      trainWith(s, (messages) => [...messages.slice(0, -1), { header: undefined, pixels: new Uint8Array(), commit: { crc32: 1 } }]),
  },
];

const LIMITS: readonly Case[] = [
  {
    what: 'more bytes than an upload may have',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'upload_bytes', got: '1179648', maximum: String(limits.upload) },
    prepare: ({ client, classifier }) => setParams(client, classifier, named('image_dimensions', 256n, 384n, 3n)),
    act: ({ client, classifier }) => train(client, classifier, { ...batchWith({ width: 256, height: 384 }), pixels: new Uint8Array(1) }),
  },
  {
    what: 'files whose images are more bytes than an upload may have',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'upload_bytes', got: '1179648', maximum: String(limits.upload) },
    prepare: ({ client, classifier }) => setParams(client, classifier, named('image_dimensions', 256n, 384n, 3n)),
    act: async ({ client, classifier }) => train(client, classifier, await encodedBatch(blue(), blue(), blue(), blue())),
  },
  {
    what: 'more images than one call may classify',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'apply_images', got: '9', maximum: '8' },
    act: ({ client, classifier }) => upload(client, 'applyClassifier', applyMessages(classifier, noiseBatch({ batchSize: 9 }))),
  },
  {
    what: 'more bytes than a serialized classifier may have',
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'serialized_bytes', got: '18446744073709551615', maximum: String(limits.serialized) },
    act: ({ client }) => {
      const header = { totalBytes: 2n ** 64n - 1n };
      return upload(client, 'deserializeClassifier', [{ header, data: new Uint8Array(), commit: undefined }]);
    },
  },
  {
    what: 'more bytes than all uploads together may have',
    reason: 'SERVER_BUSY',
    metadata: { limit: 'upload_bytes_total' },
    act: ({ client }) => {
      const header = { totalBytes: BigInt(limits.uploads + 1) };
      return upload(client, 'deserializeClassifier', [{ header, data: new Uint8Array(), commit: undefined }]);
    },
  },
  {
    what: 'more classifiers than may be open',
    reason: 'SERVER_BUSY',
    metadata: { limit: 'classifiers' },
    act: async ({ client }) => {
      const handles: string[] = [];
      try {
        for (let count = 0; count < limits.classifiers; count++) {
          handles.push((await call(client, 'readClassifier', { fileName: 'compact', pretrained: undefined, seed: undefined })).classifier);
        }
      } finally {
        await call(client, 'clearClassifier', { classifiers: handles });
      }
    },
  },
];

const CASES = [...HANDLES, ...FILES, ...PARAMETERS, ...TRAINING, ...IMAGES, ...UPLOADS, ...LIMITS];

/** All that a caller can see of the classifier: every parameter, every weight, statistic and momentum, the step. */
async function seen({ client, classifier }: Situation) {
  return { parameters: await getParams(client, classifier), bytes: await serialize(client, classifier) };
}

async function inSituation(t: ExecutionContext<WireContext>, work: (situation: Situation) => Promise<void>): Promise<void> {
  const { client } = t.context;
  const classifier = await readCompact(client);
  try {
    // One step first, so that momentum is not zero.
    const { trainResult } = await train(client, classifier);
    await work({ ...t.context, classifier, trainResult });
  } finally {
    await call(client, 'clearClassifier', { classifiers: [classifier] });
  }
}

for (const { what, reason, metadata, prepare, act } of CASES) {
  const { number, status: code, retry } = catalogue[reason] as CatalogueEntry;
  test.serial(`${number ?? reason}: ${what}`, async (t) => {
    await inSituation(t, async (situation) => {
      await prepare?.(situation);
      const before = await seen(situation);
      const refusal = await refusalOf(act(situation));
      t.is(refusal.reason, reason, refusal.message);
      t.is(refusal.status, status[code]);
      t.is(refusal.domain, 'dlclassifier.v1');
      const { number: toldNumber, retry: toldRetry, ...told } = refusal.metadata;
      t.is(toldNumber, number === null ? undefined : String(number));
      t.is(toldRetry, String(retry));
      for (const [key, wanted] of Object.entries(metadata)) {
        if (wanted instanceof RegExp) t.regex(told[key] ?? '', wanted);
        else t.is(told[key], wanted);
      }
      const after = await seen(situation);
      t.deepEqual(after.parameters, before.parameters);
      t.true(after.bytes.equals(before.bytes), 'not one bit of the classifier has changed');
    });
  });
}

/** Refusals that no call to this daemon can provoke, and where they are tested instead. */
const ELSEWHERE: Partial<Record<Reason, string>> = {
  NOT_RESIZABLE: 'both networks can be resized; 22-parameters has one that cannot',
  CUDNN_MISSING: 'asks for a GPU',
  CUBLAS_MISSING: 'asks for a GPU',
  DEVICE_LOST: 'asks for a GPU',
  CLASSIFIER_FAILED: 'asks for a defect of the engine; 29-classifier-faults puts one there',
  INTERNAL: 'asks for a defect of the server',
  SERVER_STOPPING: 'asks for a server that stops: 34-process',
};

test('every refusal of the contract is provoked here, or says why it cannot be', (t) => {
  const provoked = new Set(CASES.map(({ reason }) => reason));
  t.deepEqual([...provoked, ...(Object.keys(ELSEWHERE) as Reason[])].sort(), (Object.keys(catalogue) as Reason[]).sort());
});

test.serial('the largest batch size that is told fits, and one more does not', async (t) => {
  await inSituation(t, async ({ client, classifier }) => {
    const { metadata } = await refusalOf(setParams(client, classifier, named('batch_size', 1_000_000n)));
    const largest = BigInt(metadata.largest_batch_size ?? '');
    await setParams(client, classifier, named('batch_size', largest), named('runtime_init', 'immediately'));
    const refusal = await refusalOf(setParams(client, classifier, named('batch_size', largest + 1n)));
    t.is(refusal.reason, 'DEVICE_MEMORY_EXHAUSTED');
    t.is(refusal.metadata.largest_batch_size, String(largest));
    t.true(Number(refusal.metadata.bytes) > limits.memory);
  });
});

test.serial('a loss that grows beyond all bounds is refused, and the step before it stays', async (t) => {
  await inSituation(t, async ({ client, classifier }) => {
    await setParams(client, classifier, named('learning_rate', 1e12));
    let before = await serialize(client, classifier);
    for (let step = 0; step < 100; step++) {
      const refusal = await train(client, classifier).then(
        () => null,
        (error: unknown) => refusalOf(Promise.reject(error)),
      );
      if (refusal !== null) {
        t.is(refusal.metadata.number, '7720');
        t.true((await serialize(client, classifier)).equals(before));
        return;
      }
      before = await serialize(client, classifier);
    }
    t.fail('it never diverged');
  });
});
