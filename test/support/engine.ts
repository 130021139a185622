import {
  type Engine,
  type EngineError,
  type EngineReason,
  engineBinding,
  type ImageBatch,
  type InputSize,
  isEngineError,
  type Model,
  type StagingBuffer,
} from '../../native/index.js';
import { SLOW_INPUT, SMALL_INPUT, slowGraph, smallGraph, trainOptions } from './graphs.js';

/** A backend on whose first GPU the tests' engine computes; scripts/gpu names one. Else it is the CPU. */
const GPU_BACKEND = process.env.DL_TEST_ENGINE_GPUS;

/** An engine with two threads. */
export function makeEngine(queueLength = 16): Engine {
  if (GPU_BACKEND !== undefined) process.env.DL_CLASSIFIER_CUDA_BACKEND = GPU_BACKEND;
  return new (engineBinding().Engine)({ gpu: GPU_BACKEND === undefined ? null : 0, threads: 2, queueLength });
}

export function makeModel(engine: Engine, seed = 7n): Model {
  return new (engineBinding().Model)(engine, smallGraph(), SMALL_INPUT, seed);
}

export function makeSlowModel(engine: Engine): Model {
  return new (engineBinding().Model)(engine, slowGraph(), SLOW_INPUT, 7n);
}

/** A batch whose images lie one after the other. */
export type StagedBatch = ImageBatch & { readonly buffer: StagingBuffer };

/** Images of noise (count, height, width, channels), the same for the same seed. */
export function noiseBatch(input: InputSize, count: number, seed = 1): StagedBatch {
  const pixels = new Uint8Array(count * input.height * input.width * input.channels);
  let state = seed;
  for (let i = 0; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    pixels[i] = (state >>> 24) % 250;
  }
  const buffer = new (engineBinding().StagingBuffer)(pixels.length);
  buffer.write(0, pixels);
  return { buffer, format: 'uint8', count };
}

/** A job that keeps the engine thread busy while a test does something else. */
export function busy(model: Model, images = 4): Promise<unknown> {
  return model.train(noiseBatch(SLOW_INPUT, images), new Int32Array(images), trainOptions(images));
}

/** The engine's refusal of a call, thrown or rejected; throws where there is none. */
export async function refusal(call: () => unknown): Promise<EngineError> {
  try {
    await call();
  } catch (error) {
    if (isEngineError(error)) return error;
    throw error;
  }
  throw new Error('the call was not refused');
}

/** The reason of {@link refusal}. */
export async function refusalReason(call: () => unknown): Promise<EngineReason> {
  return (await refusal(call)).reason;
}
