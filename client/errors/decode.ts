import { type ServiceError, status } from '@grpc/grpc-js';
import { UnknownImages } from '../../generated/dlclassifier/v1/error.js';
import { ErrorInfo } from '../../generated/google/rpc/error_details.js';
import { Status } from '../../generated/google/rpc/status.js';
import { isKnownReason, REFUSAL_CLASSES } from './by_reason.js';
import { DlClassifierError, type ErrorDetails, transportError } from './error.js';

const ERROR_DOMAIN = 'dlclassifier.v1';
const STATUS_DETAILS_KEY = 'grpc-status-details-bin';
const ERROR_INFO_TYPE = 'type.googleapis.com/google.rpc.ErrorInfo';
const UNKNOWN_IMAGES_TYPE = 'type.googleapis.com/dlclassifier.v1.UnknownImages';

/** The error of this library for what grpc-js reports: by the google.rpc.ErrorInfo in the trailers, else by the status. */
export function toClientError(error: ServiceError): DlClassifierError<string> {
  const message = error.details || error.message;
  const info = readErrorInfo(error);
  if (info === null) return transportError(error.code, message, error);
  const { reason, metadata } = info;
  return refusalError({ reason, metadata, status: error.code, message, unknownImages: readUnknownImages(error), cause: error });
}

/** What the server says of a refusal, in the trailers of a call or as the answer to a batch of a stream. */
export interface ToldRefusal {
  readonly reason: string;
  /** `number` and `retry` included. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly status: status;
  readonly message: string;
  readonly unknownImages?: UnknownImages | undefined;
  readonly cause?: unknown;
}

/** The class of the reason; a newer server may know reasons that this library does not, which keep their name in `reason`. */
export function refusalError({ reason, metadata, status, message, unknownImages, cause }: ToldRefusal): DlClassifierError<string> {
  const { number, retry, ...rest } = Object.fromEntries(metadata);
  const details: ErrorDetails = {
    reason,
    number: number === undefined ? null : Number(number),
    status,
    retryable: retry === 'true',
    metadata: rest,
    unknownImages: unknownImages && positionsIn(unknownImages),
    cause,
  };
  const Refusal = isKnownReason(reason) ? REFUSAL_CLASSES[reason] : DlClassifierError<string>;
  return new Refusal(message, details);
}

/** What grpc-js rejects calls with. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code in status && 'metadata' in error;
}

function readErrorInfo(error: ServiceError): ErrorInfo | null {
  const infos = detailsOf(error, ERROR_INFO_TYPE).map((value) => ErrorInfo.decode(value));
  return infos.find(({ domain }) => domain === ERROR_DOMAIN) ?? null;
}

function readUnknownImages(error: ServiceError): UnknownImages | undefined {
  return detailsOf(error, UNKNOWN_IMAGES_TYPE).map((value) => UnknownImages.decode(value))[0];
}

function positionsIn({ positions }: UnknownImages): number[] {
  const all = Array.from({ length: positions.length * 8 }, (_, image) => image);
  return all.filter((image) => ((positions[image >> 3] ?? 0) >> (image & 7)) & 1);
}

/** The encoded details of a type. */
function detailsOf(error: ServiceError, type: string): Uint8Array[] {
  const statuses = error.metadata?.get(STATUS_DETAILS_KEY) ?? [];
  const details = statuses.flatMap((value) => (typeof value === 'string' ? [] : decodeStatus(value)));
  return details.filter(({ typeUrl }) => typeUrl === type).map(({ value }) => value);
}

/** Proxies on the way may add trailers of their own under this key; one that is no google.rpc.Status says nothing about the reason. */
function decodeStatus(bytes: Buffer): Status['details'] {
  try {
    return Status.decode(bytes).details;
  } catch {
    return [];
  }
}
