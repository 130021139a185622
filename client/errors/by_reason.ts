import type { ErrorReason } from '../../generated/dlclassifier/v1/error.js';
import type { DlClassifierError, ErrorDetails } from './error.js';
import * as refusals from './refusals.js';

/** The names of the contract's enum ErrorReason without their prefix. */
export type Reason = Exclude<keyof typeof ErrorReason extends `ERROR_REASON_${infer Name}` ? Name : never, 'UNSPECIFIED'>;

type RefusalClass = new (message: string, details: ErrorDetails) => DlClassifierError<string>;

/** The class of each reason; the type makes a reason without a class an error of compilation. */
export const REFUSAL_CLASSES = {
  UNKNOWN_HANDLE: refusals.UnknownHandleError,
  HANDLE_CLEARED: refusals.HandleClearedError,
  WRONG_HANDLE_KIND: refusals.WrongHandleKindError,
  FILE_NOT_FOUND: refusals.FileNotFoundError,
  FILE_DAMAGED: refusals.FileDamagedError,
  FILE_NOT_OURS: refusals.FileNotOursError,
  FILE_TOO_NEW: refusals.FileTooNewError,
  UNKNOWN_PARAMETER: refusals.UnknownParameterError,
  WRONG_TYPE: refusals.WrongTypeError,
  WRONG_VALUE: refusals.WrongValueError,
  WRONG_VALUE_COUNT: refusals.WrongValueCountError,
  INVALID_BATCH_SIZE_MULTIPLIER: refusals.InvalidBatchSizeMultiplierError,
  DUPLICATE_CLASSES: refusals.DuplicateClassesError,
  CLASSES_NOT_SET: refusals.ClassesNotSetError,
  INVALID_LABEL: refusals.InvalidLabelError,
  WRONG_IMAGE_COUNT: refusals.WrongImageCountError,
  WRONG_IMAGE_WIDTH: refusals.WrongImageWidthError,
  WRONG_IMAGE_HEIGHT: refusals.WrongImageHeightError,
  WRONG_IMAGE_CHANNELS: refusals.WrongImageChannelsError,
  IMAGE_VALUE_OUT_OF_RANGE: refusals.ImageValueOutOfRangeError,
  IMAGE_UNDECODABLE: refusals.ImageUndecodableError,
  IMAGE_SIZE_TOO_SMALL: refusals.ImageSizeTooSmallError,
  NOT_RESIZABLE: refusals.NotResizableError,
  UNSUPPORTED_CHANNELS: refusals.UnsupportedChannelsError,
  CHANNELS_NOT_EXTENDABLE: refusals.ChannelsNotExtendableError,
  DEVICE_MEMORY_EXHAUSTED: refusals.DeviceMemoryExhaustedError,
  NO_GPU: refusals.NoGpuError,
  CUDNN_MISSING: refusals.CudnnMissingError,
  CUBLAS_MISSING: refusals.CublasMissingError,
  STEP_DIVERGED: refusals.StepDivergedError,
  UPLOAD_TRUNCATED: refusals.UploadTruncatedError,
  UPLOAD_MALFORMED: refusals.UploadMalformedError,
  UPLOAD_CHECKSUM_MISMATCH: refusals.UploadChecksumMismatchError,
  CLIENT_STALLED: refusals.ClientStalledError,
  STEP_MISMATCH: refusals.StepMismatchError,
  LIMIT_EXCEEDED: refusals.LimitExceededError,
  SERVER_BUSY: refusals.ServerBusyError,
  CLASSIFIER_FAILED: refusals.ClassifierFailedError,
  SERVER_STOPPING: refusals.ServerStoppingError,
  DEVICE_LOST: refusals.DeviceLostError,
  FILE_NOT_WRITABLE: refusals.FileNotWritableError,
  INTERNAL: refusals.InternalError,
  INVALID_REQUEST: refusals.InvalidRequestError,
  WEIGHTS_DO_NOT_FIT: refusals.WeightsDoNotFitError,
  UNKNOWN_IMAGES: refusals.UnknownImagesError,
  IMAGE_HASH_MISMATCH: refusals.ImageHashMismatchError,
  IMAGE_STORE_UNAVAILABLE: refusals.ImageStoreUnavailableError,
} as const satisfies Record<Reason, RefusalClass>;

export function isKnownReason(reason: string): reason is Reason {
  return Object.hasOwn(REFUSAL_CLASSES, reason);
}
