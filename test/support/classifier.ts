import { setTimeout as pause } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Client } from '@grpc/grpc-js';
import type { TrainBatchRequest } from '../../generated/dlclassifier/v1/classifier.js';
import { ImageBatch, type Label, PixelFormat } from '../../generated/dlclassifier/v1/image.js';
import type { NamedValues, ParamValue } from '../../generated/dlclassifier/v1/param.js';
import { CHUNK_BYTES } from '../../server/config.js';
import { call, download } from './calls.js';

/** What a test's classifier is asked to be; small enough that a step takes milliseconds. */
export interface ClassifierOptions {
  readonly size?: number;
  readonly batchSize?: number;
  readonly seed?: bigint;
}

export const CLASSES = ['left', 'right', 'none'];

/** A network with fresh weights and CLASSES, bit-equal for the same options. */
export async function readCompact(client: Client, options: ClassifierOptions = {}): Promise<string> {
  const { size = 16, batchSize = 4, seed = 7n } = options;
  const { classifier } = await call(client, 'readClassifier', { fileName: 'compact', pretrained: undefined, seed });
  const params: NamedValues[] = [
    { name: 'image_dimensions', values: [size, size, 3].map(intValue) },
    { name: 'classes', values: CLASSES.map((name) => ({ value: { $case: 'stringValue', value: name } })) },
    { name: 'batch_size', values: [intValue(batchSize)] },
    { name: 'deterministic', values: [{ value: { $case: 'boolValue', value: true } }] },
  ];
  await call(client, 'setParam', { classifier, params });
  return classifier;
}

export function intValue(value: number): ParamValue {
  return { value: { $case: 'intValue', value: BigInt(value) } };
}

/** Images and labels for one step: noise, the same for the same options. */
export interface Batch {
  readonly images: ImageBatch;
  readonly labels: Label[];
  readonly pixels: Uint8Array;
}

export function noiseBatch(options: ClassifierOptions = {}): Batch {
  const { size = 16, batchSize = 4 } = options;
  const pixels = new Uint8Array(batchSize * size * size * 3);
  for (let index = 0, state = 1; index < pixels.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    pixels[index] = state >>> 24;
  }
  return {
    images: ImageBatch.fromPartial({
      format: PixelFormat.PIXEL_FORMAT_UINT8,
      imageCount: batchSize,
      width: size,
      height: size,
      channels: 3,
    }),
    labels: Array.from({ length: batchSize }, (_, index) => ({ label: { $case: 'index', value: index % CLASSES.length } })),
    pixels,
  };
}

const NOTHING = new Uint8Array();

/** The messages of a TrainBatch call: a header, chunks, a commit, each in a message of its own. The last is the commit. */
export function trainMessages(classifier: string, batch: Batch = noiseBatch(), chunkBytes = CHUNK_BYTES): TrainBatchRequest[] {
  const header = {
    classifier,
    images: batch.images,
    labels: batch.labels,
    requestId: '',
    expectedStep: undefined,
    params: [],
    augmentation: undefined,
  };
  const chunks: TrainBatchRequest[] = [];
  for (let start = 0; start < batch.pixels.length; start += chunkBytes) {
    chunks.push({ header: undefined, pixels: batch.pixels.subarray(start, start + chunkBytes), commit: undefined });
  }
  return [
    { header, pixels: NOTHING, commit: undefined },
    ...chunks,
    { header: undefined, pixels: NOTHING, commit: { crc32: crc32(batch.pixels) } },
  ];
}

/** The whole classifier as a stored file: every weight, statistic and momentum, every parameter, the step. */
export async function serialize(client: Client, classifier: string): Promise<Buffer> {
  const parts = await download(client, 'serializeClassifier', { classifier });
  return Buffer.concat(parts.map((part) => part.data));
}

export async function stepOf(client: Client, classifier: string): Promise<bigint> {
  const { params } = await call(client, 'getParam', { classifier, names: ['step'] });
  const value = params[0]?.values[0]?.value;
  if (value?.$case !== 'intValue') throw new Error('step is no integer');
  return value.value;
}

/** Resolves in the middle of a step; on a machine that is too busy to see it, at its end, where the same must hold. */
export async function untilTraining(client: Client, step: Promise<unknown>): Promise<void> {
  let ended = false;
  const end = () => {
    ended = true;
  };
  step.then(end, end);
  while (!ended) {
    const { open } = await call(client, 'listClassifiers', {});
    if (open.some(({ state }) => state === 'training')) return;
    await pause(2);
  }
}
