import type { Precision } from '../../native/binding.js';
import type { Refusal } from '../errors/refusal.js';
import type { Settings } from './settings.js';

/** What parameters name a device by. */
export type Place = Pick<Settings, 'runtime' | 'gpu'>;

/** The devices as the rules of the parameters see them. */
export interface DeviceChoice {
  /** GPUs that GetServerInfo lists, usable or not; at least 1. */
  readonly gpuCount: number;
  /** Why classifiers cannot be on this device; null where they can. */
  refusal(place: Place): Refusal | null;
  /** Of a device that classifiers can be on. */
  precisions(place: Place): readonly Precision[];
  defaultPrecision(place: Place): Precision;
}

/** Whether these are one device: the CPU has no index. */
export function samePlace(a: Place, b: Place): boolean {
  return a.runtime === b.runtime && (a.runtime === 'cpu' || a.gpu === b.gpu);
}

/** The choice of the processors alone, in these precisions: for settings that say nothing of a device. */
export function processorsAlone(precisions: readonly Precision[]): DeviceChoice {
  return { gpuCount: 1, refusal: () => null, precisions: () => precisions, defaultPrecision: () => 'float32' };
}
