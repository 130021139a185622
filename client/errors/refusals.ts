import { DlClassifierError, type ErrorDetails } from './error.js';

// One class for each value of the contract's enum ErrorReason: HALCON's number, the gRPC status, the case.

/** 2450, NOT_FOUND: no such handle was ever given out, or it was cleared long ago. */
export class UnknownHandleError extends DlClassifierError<'handle_kind'> {}

/** 2454, FAILED_PRECONDITION: the handle was cleared, or expired unused. */
export class HandleClearedError extends DlClassifierError<'handle_kind'> {}

/** 2404, INVALID_ARGUMENT: the handle is of another kind. */
export class WrongHandleKindError extends DlClassifierError<'handle_kind' | 'wanted_kind'> {}

/** 5200, NOT_FOUND: no network and no stored classifier of this name. */
export class FileNotFoundError extends DlClassifierError<'file_name' | 'problem' | 'remedy'> {}

/** 7703, DATA_LOSS: a stored classifier whose bytes are not what was stored. */
export class FileDamagedError extends DlClassifierError<'file_name' | 'problem'> {}

/** 7703, INVALID_ARGUMENT: not a file that this service wrote, HALCON's own .hdl files included. */
export class FileNotOursError extends DlClassifierError<'file_name' | 'problem' | 'remedy'> {}

/** 7782, FAILED_PRECONDITION: stored by a newer version. */
export class FileTooNewError extends DlClassifierError<'file_name' | 'got_version' | 'supported_version'> {}

/** 7713, INVALID_ARGUMENT: no parameter or result of this name, or one that cannot be set or read. */
export class UnknownParameterError extends DlClassifierError<'name' | 'problem'> {}

/** 1203, INVALID_ARGUMENT: a value of the wrong type. */
export class WrongTypeError extends DlClassifierError<'name' | 'got' | 'wanted'> {}

/** 1303, INVALID_ARGUMENT: a value out of its range. */
export class WrongValueError extends DlClassifierError<'name' | 'got' | 'wanted'> {}

/** 1403, INVALID_ARGUMENT: too many or too few values. */
export class WrongValueCountError extends DlClassifierError<'name' | 'got' | 'wanted'> {}

/** 7799, INVALID_ARGUMENT: batch_size_multiplier below 1. */
export class InvalidBatchSizeMultiplierError extends DlClassifierError<'got'> {}

/** 7716, INVALID_ARGUMENT: the same class twice. */
export class DuplicateClassesError extends DlClassifierError<'class' | 'first_index' | 'second_index'> {}

/** 7723, FAILED_PRECONDITION: the classes are not set. */
export class ClassesNotSetError extends DlClassifierError {}

/** 7714, INVALID_ARGUMENT: an unknown label, an index out of range, a label left out, or not one label an image. */
export class InvalidLabelError extends DlClassifierError<'image' | 'got' | 'wanted' | 'got_count' | 'wanted_count'> {}

/** 7800, INVALID_ARGUMENT: not batch_size * batch_size_multiplier images. */
export class WrongImageCountError extends DlClassifierError<'got' | 'wanted' | 'batch_size' | 'batch_size_multiplier'> {}

/** 2106, INVALID_ARGUMENT: an image's width. */
export class WrongImageWidthError extends DlClassifierError<'image' | 'got' | 'wanted'> {}

/** 2107, INVALID_ARGUMENT: an image's height. */
export class WrongImageHeightError extends DlClassifierError<'image' | 'got' | 'wanted'> {}

/** 3122, INVALID_ARGUMENT: an image's channels. */
export class WrongImageChannelsError extends DlClassifierError<'image' | 'got' | 'wanted'> {}

/** 9003, INVALID_ARGUMENT: NaN, infinity or a value outside image_range_min..image_range_max in a float image. */
export class ImageValueOutOfRangeError extends DlClassifierError<'image' | 'value'> {}

/** 5503, INVALID_ARGUMENT: an image file that cannot be decoded. */
export class ImageUndecodableError extends DlClassifierError<'image' | 'problem'> {}

/** 7722, INVALID_ARGUMENT: image_width or image_height below the network's minimum. */
export class ImageSizeTooSmallError extends DlClassifierError<'name' | 'got' | 'minimum'> {}

/** 7775, INVALID_ARGUMENT: a network whose image size cannot change. */
export class NotResizableError extends DlClassifierError<'network'> {}

/** 7724, INVALID_ARGUMENT: a number of channels other than 1 and 3. */
export class UnsupportedChannelsError extends DlClassifierError<'got'> {}

/** 7725, INVALID_ARGUMENT: from 1 channel back to 3. */
export class ChannelsNotExtendableError extends DlClassifierError {}

/** 4104, RESOURCE_EXHAUSTED: the device has not enough memory; `largest_batch_size` is the largest batch_size that fits. */
export class DeviceMemoryExhaustedError extends DlClassifierError<'largest_batch_size' | 'bytes' | 'remedy'> {}

/** 4204, FAILED_PRECONDITION: no usable GPU. */
export class NoGpuError extends DlClassifierError<'problem' | 'remedy'> {}

/** 7717, FAILED_PRECONDITION: cuDNN cannot be loaded. */
export class CudnnMissingError extends DlClassifierError<'library' | 'remedy'> {}

/** 7718, FAILED_PRECONDITION: cuBLAS cannot be loaded. */
export class CublasMissingError extends DlClassifierError<'library' | 'remedy'> {}

/** 7720, FAILED_PRECONDITION: loss or gradient is NaN or infinite, or a weight or statistic would become so. */
export class StepDivergedError extends DlClassifierError<'loss' | 'gradient_norm'> {}

/** INVALID_ARGUMENT: the upload ended before the declared bytes or without a commit. */
export class UploadTruncatedError extends DlClassifierError<'got' | 'wanted'> {}

/** INVALID_ARGUMENT: the upload breaks the contract's order or its own declaration. */
export class UploadMalformedError extends DlClassifierError<'problem'> {}

/** DATA_LOSS: the bytes that arrived do not have the checksum of the commit. The same call may succeed. */
export class UploadChecksumMismatchError extends DlClassifierError<'got' | 'wanted'> {}

/** DEADLINE_EXCEEDED: for too long nothing came of an upload, or nothing was taken of a download. The same call may succeed. */
export class ClientStalledError extends DlClassifierError<'problem' | 'seconds'> {}

/** ABORTED: expected_step is not the classifier's step. */
export class StepMismatchError extends DlClassifierError<'got' | 'wanted'> {}

/** RESOURCE_EXHAUSTED: more than the server admits in one call. */
export class LimitExceededError extends DlClassifierError<'limit' | 'got' | 'maximum' | 'remedy'> {}

/** RESOURCE_EXHAUSTED: the server has too much to do or too much open now. The same call may succeed later. */
export class ServerBusyError extends DlClassifierError<'limit'> {}

/** FAILED_PRECONDITION: the classifier failed earlier and can only be cleared. */
export class ClassifierFailedError extends DlClassifierError<'problem'> {}

/** UNAVAILABLE: the server is stopping. The same call may succeed at its successor. */
export class ServerStoppingError extends DlClassifierError {}

/** UNAVAILABLE: the GPU is lost until the server is started anew; it will stop by itself. */
export class DeviceLostError extends DlClassifierError<'gpu' | 'problem'> {}

/** INTERNAL: the model folder cannot be written; with `replaced` the new file is in its place all the same, and may not survive a loss of power. */
export class FileNotWritableError extends DlClassifierError<'file_name' | 'problem' | 'replaced'> {}

/** INTERNAL: a defect of the server. */
export class InternalError extends DlClassifierError<'problem'> {}

/** INVALID_ARGUMENT: a request field that must be set is not, or has no meaning. */
export class InvalidRequestError extends DlClassifierError<'field' | 'problem'> {}

/** 7703, INVALID_ARGUMENT: weights that are not those of the network; one pattern a line, `layer1.{0,1}.bn1.bias` are two tensors. */
export class WeightsDoNotFitError extends DlClassifierError<
  'file_name' | 'network' | 'problem' | 'missing' | 'extra' | 'misshapen' | 'remedy'
> {}

/** NOT_FOUND: references to images that are not stored. */
export class UnknownImagesError extends DlClassifierError<'count' | 'image'> {
  /** Positions of all of them in the call, counted from 0. */
  readonly images: readonly number[];

  constructor(message: string, details: ErrorDetails) {
    super(message, details);
    this.images = details.unknownImages ?? [];
  }
}

/** INVALID_ARGUMENT: the bytes of an image do not have the SHA-256 that was declared. */
export class ImageHashMismatchError extends DlClassifierError<'image' | 'got' | 'wanted'> {}

/** FAILED_PRECONDITION: the server cannot store images now. */
export class ImageStoreUnavailableError extends DlClassifierError<'problem'> {}
