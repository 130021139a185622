import type {
  DescribeClassifierResponse,
  ListClassifiersResponse,
  WriteClassifierResponse,
} from '../../generated/dlclassifier/v1/classifier.js';
import type { GetServerInfoResponse } from '../../generated/dlclassifier/v1/server_info.js';
import type { ImportWeightsResponse } from '../../generated/dlclassifier/v1/weights.js';

/** The contract's messages with plain numbers where it has 64-bit integers: sizes, counts and steps stay far below 2^53. */
export type WithNumbers<T> = T extends bigint
  ? number
  : T extends Date
    ? Date
    : T extends readonly (infer Element)[]
      ? readonly WithNumbers<Element>[]
      : T extends object
        ? { readonly [Key in keyof T]: WithNumbers<T[Key]> }
        : T;

export function withNumbers<T>(value: T): WithNumbers<T> {
  return convert(value) as WithNumbers<T>;
}

function convert(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(convert);
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, convert(entry)]));
}

/** Layers, shapes, number of parameters, memory in bytes. */
export type ClassifierDescription = WithNumbers<DescribeClassifierResponse>;

/** What is stored in the server's model folder, and what is open. */
export type ClassifierList = WithNumbers<ListClassifiersResponse>;

/** A file in the server's model folder. */
export type StoredFile = WithNumbers<WriteClassifierResponse>;

/** What weights of another program were stored as, and what of the network they did not have. */
export type ImportedWeights = WithNumbers<ImportWeightsResponse>;

/** Version, devices, limits and networks of a server. */
export type ServerInfo = WithNumbers<GetServerInfoResponse>;
