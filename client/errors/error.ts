import { status } from '@grpc/grpc-js';

/** What an error of this library is made of. */
export interface ErrorDetails {
  /** Name of the case as the contract's enum ErrorReason has it, without its prefix; null where the server gave none. */
  readonly reason: string | null;
  /** HALCON's error number; null where HALCON has no such case. */
  readonly number: number | null;
  /** The gRPC status. */
  readonly status: status;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** The data that a caller needs to mend it. Counts and indices come as decimal strings. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Positions in the call of images that the server does not know; only with UNKNOWN_IMAGES. */
  readonly unknownImages?: readonly number[] | undefined;
  readonly cause?: unknown;
}

/** Metadata whose usual keys an editor knows; a server of another version may leave some out or add others. */
export type ErrorMetadata<Keys extends string> = Readonly<Partial<Record<Keys, string>> & Record<string, string | undefined>>;

/**
 * What every refused or failed call rejects with. There is one subclass for each reason of the contract, so that a caller can write
 * `if (error instanceof WrongImageCountError) console.log(error.metadata.wanted)`. A refused call changed nothing on the server.
 *
 * A call ended by its AbortSignal rejects with the signal's reason instead.
 */
export class DlClassifierError<Keys extends string = never> extends Error {
  /** Name of the case, for instance `WRONG_IMAGE_COUNT`; null for a failure of the connection. */
  readonly reason: string | null;
  /** HALCON's error number, for instance 7800; null where HALCON has no such case. */
  readonly number: number | null;
  /** The gRPC status, for instance `status.INVALID_ARGUMENT` (3) of @grpc/grpc-js. */
  readonly status: status;
  /** Whether the same call may succeed later, without a change by the caller. */
  readonly retryable: boolean;
  /** The data that a caller needs to mend it, for instance `{ got: '31', wanted: '32' }`. */
  readonly metadata: ErrorMetadata<Keys>;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.reason = details.reason;
    this.number = details.number;
    this.status = details.status;
    this.retryable = details.retryable;
    this.metadata = details.metadata as ErrorMetadata<Keys>;
  }
}

/** The call did not come to an answer of the service: no connection, a deadline, a limit of the transport. `reason` is null. */
export class TransportError extends DlClassifierError {}

/** UNAVAILABLE: the server cannot be reached, or the connection broke. */
export class ConnectionError extends TransportError {}

/** DEADLINE_EXCEEDED: the call's `timeoutMs` passed. A step whose batch had arrived may have been applied all the same. */
export class DeadlineExceededError extends TransportError {}

/** The subclass for a status that came without a reason of the service. */
export function transportError(code: status, message: string, cause: unknown): TransportError {
  const details: ErrorDetails = { reason: null, number: null, status: code, retryable: false, metadata: {}, cause };
  if (code === status.UNAVAILABLE) return new ConnectionError(message, { ...details, retryable: true });
  if (code === status.DEADLINE_EXCEEDED) return new DeadlineExceededError(message, { ...details, retryable: true });
  return new TransportError(message, details);
}
