import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { ErrorInfo } from '../../generated/google/rpc/error_details.js';
import { Status } from '../../generated/google/rpc/status.js';
import type { Refusal } from '../errors/refusal.js';
import { toldRefusal } from '../errors/told_refusal.js';

/** `domain` of every ErrorInfo of this service. */
export const ERROR_DOMAIN = 'dlclassifier.v1';

/** Where gRPC's richer error model puts the serialized google.rpc.Status. */
export const STATUS_DETAILS_KEY = 'grpc-status-details-bin';

const ERROR_INFO_TYPE = 'type.googleapis.com/google.rpc.ErrorInfo';

/**
 * The refusal as gRPC sends it: status, message, and in the trailing metadata a google.rpc.Status with one google.rpc.ErrorInfo and what the
 * reason has beside it.
 */
export function toStatus(refusal: Refusal): StatusObject {
  const { message: details, metadata: told } = toldRefusal(refusal);
  const errorInfo: ErrorInfo = { reason: refusal.reason, domain: ERROR_DOMAIN, metadata: told };
  const packed = { typeUrl: ERROR_INFO_TYPE, value: ErrorInfo.encode(errorInfo).finish() };
  const encoded = Status.encode({ code: refusal.status, message: details, details: [packed, ...refusal.details] }).finish();
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, Buffer.from(encoded));
  return { code: refusal.status, details, metadata };
}
