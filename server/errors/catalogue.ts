import { status } from '@grpc/grpc-js';

/** One kind of refusal. `Required` are the metadata keys that every refusal of this kind carries, `Optional` those that some carry. */
export interface CatalogueEntry<Required extends string = string, Optional extends string = string> {
  /** HALCON's error number; null where HALCON has no such case. */
  readonly number: number | null;
  readonly status: status;
  /** Whether the same call may succeed later. */
  readonly retry: boolean;
  readonly required: readonly Required[];
  readonly optional: readonly Optional[];
  /** What was wrong, where, and what to do. */
  message(metadata: Readonly<Record<Required, string> & Partial<Record<Optional, string>>>): string;
}

function entry<const Required extends string = never, const Optional extends string = never>(
  options: {
    number?: number;
    status: status;
    retry?: boolean;
    required?: readonly Required[];
    optional?: readonly Optional[];
  },
  message: CatalogueEntry<Required, Optional>['message'],
): CatalogueEntry<Required, Optional> {
  return {
    number: options.number ?? null,
    status: options.status,
    retry: options.retry ?? false,
    required: options.required ?? [],
    optional: options.optional ?? [],
    message,
  };
}

/** `train result` for `train_result`. */
const words = (kind: string): string => kind.replaceAll('_', ' ');

/** `image 3: ` or nothing. */
const atImage = (image: string | undefined): string => (image === undefined ? '' : `image ${image}: `);

/** All refusals, by the names of the contract's enum ErrorReason without its prefix. The numbers are HALCON's. */
export const catalogue = {
  UNKNOWN_HANDLE: entry(
    { number: 2450, status: status.NOT_FOUND, required: ['handle_kind'] },
    (m) =>
      `no ${words(m.handle_kind)} has this handle: it was never given out, or cleared long ago, or the server was restarted; read or train again`,
  ),
  HANDLE_CLEARED: entry(
    { number: 2454, status: status.FAILED_PRECONDITION, required: ['handle_kind'] },
    (m) =>
      `this ${words(m.handle_kind)} was cleared or expired unused; get a new handle, and raise --handle-idle-seconds if it expired too early`,
  ),
  WRONG_HANDLE_KIND: entry(
    { number: 2404, status: status.INVALID_ARGUMENT, required: ['handle_kind', 'wanted_kind'] },
    (m) => `the handle is that of a ${words(m.handle_kind)}, this call takes that of a ${words(m.wanted_kind)}`,
  ),
  FILE_NOT_FOUND: entry(
    { number: 5200, status: status.NOT_FOUND, required: ['file_name'], optional: ['problem', 'remedy'] },
    (m) =>
      `${JSON.stringify(m.file_name)}: ${m.problem ?? 'no network and no stored classifier of this name'}; ` +
      (m.remedy ?? 'ListClassifiers tells what is stored, GetServerInfo which networks there are'),
  ),
  FILE_DAMAGED: entry(
    { number: 7703, status: status.DATA_LOSS, required: ['file_name', 'problem'] },
    (m) => `${JSON.stringify(m.file_name)} is damaged: ${m.problem}; restore it from a copy, or read an earlier classifier`,
  ),
  FILE_NOT_OURS: entry(
    { number: 7703, status: status.INVALID_ARGUMENT, required: ['file_name', 'problem'], optional: ['remedy'] },
    (m) =>
      `${JSON.stringify(m.file_name)} is no file that this service reads: ${m.problem}; ` +
      (m.remedy ?? 'give a file that WriteClassifier or SerializeClassifier made'),
  ),
  FILE_TOO_NEW: entry(
    { number: 7782, status: status.FAILED_PRECONDITION, required: ['file_name', 'got_version', 'supported_version'] },
    (m) =>
      `${JSON.stringify(m.file_name)} has format version ${m.got_version}, this server reads up to ${m.supported_version}; update the server`,
  ),
  UNKNOWN_PARAMETER: entry(
    { number: 7713, status: status.INVALID_ARGUMENT, required: ['name', 'problem'] },
    (m) => `${JSON.stringify(m.name)}: ${m.problem}`,
  ),
  WRONG_TYPE: entry(
    { number: 1203, status: status.INVALID_ARGUMENT, required: ['name', 'got', 'wanted'] },
    (m) => `${m.name} takes ${m.wanted}, not ${m.got}`,
  ),
  WRONG_VALUE: entry(
    { number: 1303, status: status.INVALID_ARGUMENT, required: ['name', 'got', 'wanted'] },
    (m) => `${m.name} is ${m.got}; give ${m.wanted}`,
  ),
  WRONG_VALUE_COUNT: entry(
    { number: 1403, status: status.INVALID_ARGUMENT, required: ['name', 'got', 'wanted'] },
    (m) => `${m.name} got ${m.got} values; give ${m.wanted}`,
  ),
  INVALID_BATCH_SIZE_MULTIPLIER: entry(
    { number: 7799, status: status.INVALID_ARGUMENT, required: ['got'] },
    (m) => `batch_size_multiplier is ${m.got}; give an integer >= 1`,
  ),
  DUPLICATE_CLASSES: entry(
    { number: 7716, status: status.INVALID_ARGUMENT, required: ['class', 'first_index', 'second_index'] },
    (m) => `class ${JSON.stringify(m.class)} stands at positions ${m.first_index} and ${m.second_index} of classes; each may stand once`,
  ),
  CLASSES_NOT_SET: entry(
    { number: 7723, status: status.FAILED_PRECONDITION },
    () => 'the classifier has no classes yet; set the parameter classes first',
  ),
  INVALID_LABEL: entry(
    { number: 7714, status: status.INVALID_ARGUMENT, optional: ['image', 'got', 'wanted', 'got_count', 'wanted_count'] },
    (m) =>
      m.got_count === undefined
        ? `${atImage(m.image)}the label is ${m.got}; give ${m.wanted ?? 'one of classes, by name or by position from 0'}`
        : `${m.got_count} labels for ${m.wanted_count} images; give one label an image`,
  ),
  WRONG_IMAGE_COUNT: entry(
    { number: 7800, status: status.INVALID_ARGUMENT, required: ['got', 'wanted', 'batch_size', 'batch_size_multiplier'] },
    (m) =>
      `${m.got} images; a step takes exactly batch_size * batch_size_multiplier = ${m.batch_size} * ${m.batch_size_multiplier} = ${m.wanted}`,
  ),
  WRONG_IMAGE_WIDTH: entry(
    { number: 2106, status: status.INVALID_ARGUMENT, required: ['image', 'got', 'wanted'] },
    (m) => `${atImage(m.image)}${m.got} pixels wide, image_width is ${m.wanted}; resize the image or set image_width`,
  ),
  WRONG_IMAGE_HEIGHT: entry(
    { number: 2107, status: status.INVALID_ARGUMENT, required: ['image', 'got', 'wanted'] },
    (m) => `${atImage(m.image)}${m.got} pixels high, image_height is ${m.wanted}; resize the image or set image_height`,
  ),
  WRONG_IMAGE_CHANNELS: entry(
    { number: 3122, status: status.INVALID_ARGUMENT, required: ['image', 'got', 'wanted'] },
    (m) => `${atImage(m.image)}${m.got} channels, image_num_channels is ${m.wanted}; convert the image or set image_num_channels`,
  ),
  IMAGE_VALUE_OUT_OF_RANGE: entry(
    { number: 9003, status: status.INVALID_ARGUMENT, required: ['image', 'value'] },
    (m) =>
      `${atImage(m.image)}holds the value ${m.value}, allowed is image_range_min..image_range_max = -127..128; subtract 127 from 0..255`,
  ),
  IMAGE_UNDECODABLE: entry(
    { number: 5503, status: status.INVALID_ARGUMENT, required: ['image', 'problem'] },
    (m) => `${atImage(m.image)}cannot be decoded: ${m.problem}; send JPEG, PNG, WebP, TIFF or GIF, or plain pixels`,
  ),
  IMAGE_SIZE_TOO_SMALL: entry(
    { number: 7722, status: status.INVALID_ARGUMENT, required: ['name', 'got', 'minimum'] },
    (m) => `${m.name} is ${m.got}, this network needs at least ${m.minimum}; enlarge the images or take a network for smaller ones`,
  ),
  NOT_RESIZABLE: entry(
    { number: 7775, status: status.INVALID_ARGUMENT, required: ['network'] },
    (m) => `the image size of ${m.network} cannot be changed; resize the images to its size`,
  ),
  UNSUPPORTED_CHANNELS: entry(
    { number: 7724, status: status.INVALID_ARGUMENT, required: ['got'] },
    (m) => `image_num_channels is ${m.got}; give 1 or 3`,
  ),
  CHANNELS_NOT_EXTENDABLE: entry(
    { number: 7725, status: status.INVALID_ARGUMENT },
    () => 'a classifier of 1 channel cannot be given 3 again; read the network anew',
  ),
  DEVICE_MEMORY_EXHAUSTED: entry(
    { number: 4104, status: status.RESOURCE_EXHAUSTED, required: ['largest_batch_size', 'bytes'], optional: ['remedy'] },
    (m) =>
      `not enough memory: at least ${m.bytes} bytes are needed; ` +
      (m.remedy ??
        (m.largest_batch_size === '0'
          ? 'not even batch_size 1 fits, set a smaller image size or clear other classifiers'
          : `set batch_size to ${m.largest_batch_size} or less (and batch_size_multiplier higher), or clear other classifiers`)),
  ),
  NO_GPU: entry(
    { number: 4204, status: status.FAILED_PRECONDITION, required: ['problem', 'remedy'] },
    (m) => `no usable GPU: ${m.problem}; ${m.remedy}`,
  ),
  CUDNN_MISSING: entry(
    { number: 7717, status: status.FAILED_PRECONDITION, required: ['library', 'remedy'] },
    ({ library, remedy }) => `cuDNN cannot be loaded (${library}); ${remedy}`,
  ),
  CUBLAS_MISSING: entry(
    { number: 7718, status: status.FAILED_PRECONDITION, required: ['library', 'remedy'] },
    ({ library, remedy }) => `cuBLAS cannot be loaded (${library}); ${remedy}`,
  ),
  STEP_DIVERGED: entry(
    { number: 7720, status: status.FAILED_PRECONDITION, required: ['loss', 'gradient_norm'] },
    (m) =>
      `the step diverged (loss ${m.loss}, gradient norm ${m.gradient_norm}) and was not applied; ` +
      'lower learning_rate, or go on from an earlier stored classifier',
  ),
  UPLOAD_TRUNCATED: entry(
    { status: status.INVALID_ARGUMENT, required: ['got', 'wanted'] },
    (m) => `the upload ended after ${m.got} of ${m.wanted} bytes or without a commit; send all bytes and then the commit`,
  ),
  UPLOAD_MALFORMED: entry(
    { status: status.INVALID_ARGUMENT, required: ['problem'] },
    (m) => `the upload breaks the contract: ${m.problem}`,
  ),
  UPLOAD_CHECKSUM_MISMATCH: entry(
    { status: status.DATA_LOSS, retry: true, required: ['got', 'wanted'] },
    (m) => `the bytes that arrived have the CRC-32 ${m.got}, the commit says ${m.wanted}; send them again`,
  ),
  STEP_MISMATCH: entry(
    { status: status.ABORTED, required: ['got', 'wanted'] },
    (m) => `expected_step is ${m.got}, the classifier's step is ${m.wanted}; another call trained it, read step and decide again`,
  ),
  LIMIT_EXCEEDED: entry(
    { status: status.RESOURCE_EXHAUSTED, required: ['limit', 'got', 'maximum'], optional: ['remedy'] },
    (m) =>
      `${m.limit} is ${m.got}, this server admits ${m.maximum} in one call; ${m.remedy ?? "send less at once or raise the server's limit"}`,
  ),
  SERVER_BUSY: entry(
    { status: status.RESOURCE_EXHAUSTED, retry: true, required: ['limit'] },
    (m) => `the server has reached its limit of ${m.limit}; clear what is not needed, or call again later`,
  ),
  CLASSIFIER_FAILED: entry(
    { status: status.FAILED_PRECONDITION, required: ['problem'] },
    (m) => `the classifier failed earlier (${m.problem}) and can only be cleared; go on from its last stored file`,
  ),
  SERVER_STOPPING: entry({ status: status.UNAVAILABLE, retry: true }, () => 'the server is stopping; call again when its successor runs'),
  DEVICE_LOST: entry(
    { status: status.UNAVAILABLE, required: ['gpu', 'problem'] },
    (m) =>
      `GPU ${m.gpu} is lost until the server is started anew (${m.problem}); the server will stop, go on from the last stored file when its successor runs`,
  ),
  FILE_NOT_WRITABLE: entry({ status: status.INTERNAL, required: ['file_name', 'problem'], optional: ['replaced'] }, (m) =>
    m.replaced === undefined
      ? `${JSON.stringify(m.file_name)} cannot be written to the model folder: ${m.problem}; a file of that name is as it was`
      : `${JSON.stringify(m.file_name)} was written and has replaced a file of that name, but the model folder cannot be synchronised: ` +
        `${m.problem}; it may not survive a loss of power, write it again when the disk is mended`,
  ),
  INTERNAL: entry(
    { status: status.INTERNAL, required: ['problem'] },
    (m) => `a defect of the server: ${m.problem}; its log has the details`,
  ),
  INVALID_REQUEST: entry({ status: status.INVALID_ARGUMENT, required: ['field', 'problem'] }, (m) => `${m.field}: ${m.problem}`),
  WEIGHTS_DO_NOT_FIT: entry(
    {
      number: 7703,
      status: status.INVALID_ARGUMENT,
      required: ['file_name', 'network', 'problem'],
      optional: ['missing', 'extra', 'misshapen', 'remedy'],
    },
    (m) =>
      `${JSON.stringify(m.file_name)} does not hold the weights of ${m.network}: ${m.problem}; ` +
      (m.remedy ?? 'give the weights of that network, under the names of torchvision or timm'),
  ),
  UNKNOWN_IMAGES: entry(
    { status: status.NOT_FOUND, required: ['count', 'image'] },
    (m) => `${m.count} references to images that are not stored, image ${m.image} the first; put these, or send them with the batch`,
  ),
  IMAGE_HASH_MISMATCH: entry(
    { status: status.INVALID_ARGUMENT, required: ['image', 'got', 'wanted'] },
    (m) => `${atImage(m.image)}its bytes have the SHA-256 ${m.got}, ${m.wanted} was declared; declare that of the bytes as they are sent`,
  ),
  IMAGE_STORE_UNAVAILABLE: entry(
    { status: status.FAILED_PRECONDITION, required: ['problem'] },
    (m) => `this server cannot store images: ${m.problem}; send them with each batch`,
  ),
  CLIENT_STALLED: entry(
    { status: status.DEADLINE_EXCEEDED, retry: true, required: ['problem', 'seconds'] },
    (m) => `${m.problem} for ${m.seconds} seconds; the call was ended to free what it held, call again`,
  ),
} as const;

/** Name of a refusal, as `reason` of its google.rpc.ErrorInfo has it. */
export type Reason = keyof typeof catalogue;

type RequiredKeys<R extends Reason> = (typeof catalogue)[R] extends CatalogueEntry<infer Required, infer _Optional> ? Required : never;
type OptionalKeys<R extends Reason> = (typeof catalogue)[R] extends CatalogueEntry<infer _Required, infer Optional> ? Optional : never;

/** The data that a refusal of reason R carries beside `number` and `retry`. */
export type MetadataOf<R extends Reason> = Readonly<
  Record<RequiredKeys<R>, string | number | bigint> & Partial<Record<OptionalKeys<R>, string | number | bigint>>
>;
