import { crc32 } from 'node:zlib';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import anyTest, { type TestFn } from 'ava';
import type { ApplyClassifierRequest, DeserializeClassifierRequest } from '../../generated/dlclassifier/v1/classifier.js';
import type { ClassifierServiceClient } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { NamedValues, ParamValue } from '../../generated/dlclassifier/v1/param.js';
import { ImportWeightsHeader, type ImportWeightsRequest } from '../../generated/dlclassifier/v1/weights.js';
import { CHUNK_BYTES } from '../../server/config.js';
import { call, connectTo, errorInfo, upload } from './calls.js';
import { type Batch, trainMessages } from './classifier.js';
import { type Daemon, startDaemon } from './daemon.js';

export interface WireContext {
  readonly daemon: Daemon;
  readonly client: ClassifierServiceClient;
}

/** Tests of a file that share one daemon. */
export function testOverTheWire(flags: readonly string[] = []): TestFn<WireContext> {
  const test = anyTest as TestFn<WireContext>;
  test.before(async (t) => {
    const daemon = await startDaemon(flags);
    t.context = { daemon, client: connectTo(daemon.address) };
  });
  test.after.always(async (t) => {
    t.context.client?.close();
    await t.context.daemon?.stop();
  });
  return test;
}

/** A value as a test writes it: a bigint is an integer, a number a real number. */
export type PlainValue = bigint | number | string | boolean | Record<string, string>;

export function toParamValue(value: PlainValue): ParamValue {
  if (typeof value === 'bigint') return { value: { $case: 'intValue', value } };
  if (typeof value === 'number') return { value: { $case: 'realValue', value } };
  if (typeof value === 'string') return { value: { $case: 'stringValue', value } };
  if (typeof value === 'boolean') return { value: { $case: 'boolValue', value } };
  return { value: { $case: 'mapValue', value: { entries: new Map(Object.entries(value)) } } };
}

function toPlainValue({ value }: ParamValue): PlainValue {
  if (value === undefined) throw new Error('a value is left out');
  return value.$case === 'mapValue' ? Object.fromEntries(value.value.entries) : value.value;
}

export function named(name: string, ...values: PlainValue[]): NamedValues {
  return { name, values: values.map(toParamValue) };
}

/** @returns the layers that were initialised anew */
export async function setParams(client: Client, classifier: string, ...params: NamedValues[]): Promise<string[]> {
  return (await call(client, 'setParam', { classifier, params })).reinitializedLayers;
}

/** The parameters of these names, all where none is named. */
export async function getParams(client: Client, classifier: string, ...names: string[]): Promise<Record<string, PlainValue[]>> {
  const { params } = await call(client, 'getParam', { classifier, names });
  return plain(params);
}

export function plain(values: readonly NamedValues[]): Record<string, PlainValue[]> {
  return Object.fromEntries(values.map((one) => [one.name, one.values.map(toPlainValue)]));
}

/** One step on these images. */
export function train(client: Client, classifier: string, batch?: Batch) {
  return upload(client, 'trainBatch', trainMessages(classifier, batch));
}

const NOTHING = new Uint8Array();

/** The chunks of an upload, each in a message of its own, between header and commit. */
function chunked(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / CHUNK_BYTES) }, (_, index) =>
    bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  );
}

export function applyMessages(classifier: string, { images, pixels }: Pick<Batch, 'images' | 'pixels'>): ApplyClassifierRequest[] {
  return [
    { header: { classifier, images }, pixels: NOTHING, commit: undefined },
    ...chunked(pixels).map((chunk) => ({ header: undefined, pixels: chunk, commit: undefined })),
    { header: undefined, pixels: NOTHING, commit: { crc32: crc32(pixels) } },
  ];
}

export function deserializeMessages(bytes: Uint8Array): DeserializeClassifierRequest[] {
  return [
    { header: { totalBytes: BigInt(bytes.length) }, data: NOTHING, commit: undefined },
    ...chunked(bytes).map((data) => ({ header: undefined, data, commit: undefined })),
    { header: undefined, data: NOTHING, commit: { crc32: crc32(bytes) } },
  ];
}

export function importMessages(bytes: Uint8Array, header: Partial<ImportWeightsHeader>): ImportWeightsRequest[] {
  return [
    { header: ImportWeightsHeader.fromPartial({ totalBytes: BigInt(bytes.length), ...header }), data: NOTHING, commit: undefined },
    ...chunked(bytes).map((data) => ({ header: undefined, data, commit: undefined })),
    { header: undefined, data: NOTHING, commit: { crc32: crc32(bytes) } },
  ];
}

/** What a caller is told of a refusal. */
export interface ToldRefusal {
  /** Name of the gRPC status. */
  readonly status: string;
  readonly message: string;
  readonly reason: string;
  readonly domain: string;
  /** `number` and `retry` included. */
  readonly metadata: Record<string, string>;
}

/** The refusal of a call; throws where it is answered. */
export async function refusalOf(response: Promise<unknown>): Promise<ToldRefusal> {
  let answer: unknown;
  try {
    answer = await response;
  } catch (error) {
    const { code, details } = error as ServiceError;
    const { reason, domain, metadata } = errorInfo(error as ServiceError);
    return { status: status[code], message: details, reason, domain, metadata };
  }
  throw new Error(`answered with ${JSON.stringify(answer, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`);
}
