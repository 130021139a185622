import type { Precision } from '../../native/binding.js';
import { networkByName } from '../networks/index.js';
import { processorsAlone } from '../parameters/device_choice.js';
import { type Assignment, draftSettings, readParameters } from '../parameters/registry.js';
import { defaultSettings, type Settings } from '../parameters/settings.js';
import type { Value } from '../parameters/value.js';
import type { ClassifierRecord } from './classifier_record.js';

/** `format` of the files that this service writes. */
export const FORMAT = 'dl-classifier';
/** What this server writes, and the newest that it reads. */
export const FORMAT_VERSION = 1;

/**
 * The parameters that are stored; together with the classes they are all settings. runtime and gpu are not: they belong to the machine.
 */
export const STORED_PARAMETERS = [
  'batch_size',
  'batch_size_multiplier',
  'learning_rate',
  'momentum',
  'weight_prior',
  'weight_decay',
  'solver_type',
  'adam_beta1',
  'adam_beta2',
  'adam_epsilon',
  'max_gradient_norm',
  'class_weights',
  'batch_norm_momentum',
  'freeze',
  'image_dimensions',
  'precision',
  'deterministic',
  'meta_data',
] as const;

/** Why the metadata of a file are not those of a classifier. */
export class MetadataProblem extends Error {
  override readonly name = 'MetadataProblem';
}

/** What the metadata say of a record, without the checksums. */
export function encodeMetadata({ network, settings, step, seed }: Omit<ClassifierRecord, 'tensors'>): Map<string, string> {
  const view = { settings, network, step, parameterCount: 0 };
  const stored = readParameters(view, STORED_PARAMETERS).map(({ name, values }) => {
    const plain = values.map(toJson);
    return [name, plain.length === 1 ? plain[0] : plain];
  });
  return new Map([
    ['format', FORMAT],
    ['format_version', String(FORMAT_VERSION)],
    ['network', network.name],
    ['classes', JSON.stringify(settings.classes)],
    ['parameters', JSON.stringify(Object.fromEntries(stored))],
    ['step', String(step)],
    ['seed', String(seed)],
  ]);
}

/**
 * The record that the metadata tell of. A precision that the device does not compute in becomes float32, so that a classifier can
 * move to another machine. Files say nothing of devices: the settings' is the CPU, until the classifier is placed.
 *
 * @throws MetadataProblem; Refusal of a parameter that is out of its range
 */
export function decodeMetadata(metadata: ReadonlyMap<string, string>, precisions: readonly Precision[]): Omit<ClassifierRecord, 'tensors'> {
  const name = text(metadata, 'network');
  const network = networkByName(name);
  if (network === null) throw new MetadataProblem(`its network ${JSON.stringify(name)} is unknown`);
  const stored = json(metadata, 'parameters');
  if (typeof stored !== 'object' || stored === null) throw new MetadataProblem('its parameters are no object');
  const assignments: Assignment[] = STORED_PARAMETERS.map((parameter) => {
    const value: unknown = Object.hasOwn(stored, parameter) ? (stored as Record<string, unknown>)[parameter] : undefined;
    const usable =
      parameter === 'precision' && typeof value === 'string' && !precisions.some((usable) => usable === value) ? 'float32' : value;
    const values = Array.isArray(usable) ? usable : [usable];
    return { name: parameter, values: values.map((item) => fromJson(parameter, item)) };
  });
  const classes = json(metadata, 'classes');
  if (!Array.isArray(classes)) throw new MetadataProblem('its classes are no list');
  if (classes.length > 0) assignments.push({ name: 'classes', values: classes.map((item) => fromJson('classes', item)) });
  const { initializeRuntime: _, ...settings } = draftSettings(defaultSettings(network), assignments, {
    network,
    devices: processorsAlone(precisions),
  });
  return {
    network,
    settings: settings satisfies Settings,
    step: Number(integer(metadata, 'step', BigInt(Number.MAX_SAFE_INTEGER))),
    seed: integer(metadata, 'seed', 2n ** 64n - 1n),
  };
}

function text(metadata: ReadonlyMap<string, string>, key: string): string {
  const value = metadata.get(key);
  if (value === undefined) throw new MetadataProblem(`its metadata have no ${key}`);
  return value;
}

function json(metadata: ReadonlyMap<string, string>, key: string): unknown {
  try {
    return JSON.parse(text(metadata, key));
  } catch (error) {
    throw error instanceof MetadataProblem ? error : new MetadataProblem(`its ${key} are not JSON`);
  }
}

function integer(metadata: ReadonlyMap<string, string>, key: string, maximum: bigint): bigint {
  const value = text(metadata, key);
  if (!/^\d{1,20}$/.test(value) || BigInt(value) > maximum) throw new MetadataProblem(`its ${key} is no integer from 0 to ${maximum}`);
  return BigInt(value);
}

function toJson(value: Value): unknown {
  if (typeof value === 'bigint') return Number(value);
  return value instanceof Map ? Object.fromEntries(value) : value;
}

function fromJson(name: string, value: unknown): Value {
  switch (typeof value) {
    case 'number':
      return Number.isSafeInteger(value) ? BigInt(value) : value;
    case 'string':
    case 'boolean':
      return value;
    case 'object': {
      const entries = Object.entries(value ?? {});
      if (value !== null && entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) return new Map(entries);
    }
  }
  throw new MetadataProblem(`its ${name} has the value ${JSON.stringify(value)}`);
}
