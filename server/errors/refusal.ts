import type { status } from '@grpc/grpc-js';
import { type CatalogueEntry, catalogue, type MetadataOf, type Reason } from './catalogue.js';

/** Why a call was refused: the only error that leaves a handler on purpose. A refused call changed nothing. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: Reason;
  /** HALCON's error number, where there is one. */
  readonly number: number | null;
  readonly status: status;
  /** Whether the same call may succeed later. */
  readonly retry: boolean;
  /** The data that a caller needs to mend the call, without `number` and `retry`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What a caller is told beside the google.rpc.ErrorInfo. */
  readonly details: readonly RefusalDetail[];

  constructor(reason: Reason, metadata: Readonly<Record<string, string>>, options?: RefusalOptions) {
    const entry: CatalogueEntry = catalogue[reason] as CatalogueEntry;
    super(entry.message(metadata), options);
    this.reason = reason;
    this.number = entry.number;
    this.status = entry.status;
    this.retry = entry.retry;
    this.metadata = metadata;
    this.details = options?.details ?? [];
  }
}

/** A message of the contract, encoded, with its name: a google.protobuf.Any. */
export interface RefusalDetail {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export interface RefusalOptions extends ErrorOptions {
  readonly details?: readonly RefusalDetail[];
}

/** The refusal of this reason; the caller throws it. */
export function refuse<R extends Reason>(reason: R, ...[metadata, options]: RefuseArguments<R>): Refusal {
  const values = Object.entries(metadata ?? {}).map(([key, value]) => [key, String(value)]);
  return new Refusal(reason, Object.fromEntries(values), options);
}

/** Reasons without required metadata may leave it out. */
type RefuseArguments<R extends Reason> =
  Record<never, never> extends MetadataOf<R>
    ? [metadata?: MetadataOf<R>, options?: RefusalOptions]
    : [metadata: MetadataOf<R>, options?: RefusalOptions];
