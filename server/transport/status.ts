import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { ErrorInfo } from '../../generated/google/rpc/error_details.js';
import { Status } from '../../generated/google/rpc/status.js';
import type { Refusal } from '../errors/refusal.js';

/** `domain` of every ErrorInfo of this service. */
export const ERROR_DOMAIN = 'dlclassifier.v1';

/** Where gRPC's richer error model puts the serialized google.rpc.Status. */
export const STATUS_DETAILS_KEY = 'grpc-status-details-bin';

const ERROR_INFO_TYPE = 'type.googleapis.com/google.rpc.ErrorInfo';

/** Trailers are headers, and clients take 8 to 16 KiB of those: a name of a megabyte must not come back whole. In characters. */
const MAXIMUM_TEXT = 1024;

/** Lists of tensors may be longer; whoever makes them sees to it that all three, in base64 with what stands beside them, stay below 8 KiB. */
const LISTS: ReadonlySet<string> = new Set(['missing', 'extra', 'misshapen']);
const MAXIMUM_LIST = 4400;

/** The refusal as gRPC sends it: status, message, and a google.rpc.Status with one google.rpc.ErrorInfo in the trailing metadata. */
export function toStatus(refusal: Refusal): StatusObject {
  const details = shorten(refusal.message);
  const errorInfo: ErrorInfo = { reason: refusal.reason, domain: ERROR_DOMAIN, metadata: errorMetadata(refusal) };
  const packed = { typeUrl: ERROR_INFO_TYPE, value: ErrorInfo.encode(errorInfo).finish() };
  const encoded = Status.encode({ code: refusal.status, message: details, details: [packed] }).finish();
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, Buffer.from(encoded));
  return { code: refusal.status, details, metadata };
}

function errorMetadata(refusal: Refusal): Record<string, string> {
  const metadata = Object.fromEntries(
    Object.entries(refusal.metadata).map(([key, value]) => [key, shorten(value, LISTS.has(key) ? MAXIMUM_LIST : MAXIMUM_TEXT)]),
  );
  metadata.retry = String(refusal.retry);
  if (refusal.number !== null) metadata.number = String(refusal.number);
  return metadata;
}

function shorten(text: string, maximum = MAXIMUM_TEXT): string {
  if (text.length <= maximum) return text;
  // Through UTF-8 and back, because the cut may split a surrogate pair, which cannot be sent.
  return `${Buffer.from(text.slice(0, maximum - 1)).toString()}…`;
}
