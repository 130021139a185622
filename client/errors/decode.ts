import { type ServiceError, status } from '@grpc/grpc-js';
import { ErrorInfo } from '../../generated/google/rpc/error_details.js';
import { Status } from '../../generated/google/rpc/status.js';
import { isKnownReason, REFUSAL_CLASSES } from './by_reason.js';
import { DlClassifierError, type ErrorDetails, transportError } from './error.js';

const ERROR_DOMAIN = 'dlclassifier.v1';
const STATUS_DETAILS_KEY = 'grpc-status-details-bin';
const ERROR_INFO_TYPE = 'type.googleapis.com/google.rpc.ErrorInfo';

/** The error of this library for what grpc-js reports: by the google.rpc.ErrorInfo in the trailers, else by the status. */
export function toClientError(error: ServiceError): DlClassifierError<string> {
  const message = error.details || error.message;
  const info = readErrorInfo(error);
  if (info === null) return transportError(error.code, message, error);
  return refusalError({ reason: info.reason, metadata: info.metadata, status: error.code, message, cause: error });
}

/** What the server says of a refusal, in the trailers of a call or as the answer to a batch of a stream. */
export interface ToldRefusal {
  readonly reason: string;
  /** `number` and `retry` included. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly status: status;
  readonly message: string;
  readonly cause?: unknown;
}

/** The class of the reason; a newer server may know reasons that this library does not, which keep their name in `reason`. */
export function refusalError({ reason, metadata, status, message, cause }: ToldRefusal): DlClassifierError<string> {
  const { number, retry, ...rest } = metadata;
  const details: ErrorDetails = {
    reason,
    number: number === undefined ? null : Number(number),
    status,
    retryable: retry === 'true',
    metadata: rest,
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
  for (const value of error.metadata?.get(STATUS_DETAILS_KEY) ?? []) {
    if (typeof value === 'string') continue;
    for (const detail of decodeStatus(value)) {
      if (detail.typeUrl !== ERROR_INFO_TYPE) continue;
      const info = ErrorInfo.decode(detail.value);
      if (info.domain === ERROR_DOMAIN) return info;
    }
  }
  return null;
}

/** Proxies on the way may add trailers of their own under this key; one that is no google.rpc.Status says nothing about the reason. */
function decodeStatus(bytes: Buffer): Status['details'] {
  try {
    return Status.decode(bytes).details;
  } catch {
    return [];
  }
}
