import { type Refusal, refuse } from '../errors/refusal.js';
import type { NetworkDefinition } from '../networks/definition.js';
import type { DeviceChoice } from './device_choice.js';
import type { Settings } from './settings.js';
import { expectType, type Value, type ValueType, type ValueTypes } from './value.js';

/** What a parameter is read from. */
export interface ParameterView {
  readonly settings: Settings;
  readonly network: NetworkDefinition;
  /** Steps applied. */
  readonly step: number;
  /** Number of values that training changes. */
  readonly parameterCount: number;
}

/** The settings as the sets of one call leave them; thrown away if one of them is refused. */
export type Draft = { -readonly [Name in keyof Settings]: Settings[Name] } & {
  /** Allocate all that training and applying need at the end of the call. */
  initializeRuntime: boolean;
};

/** What decides beside the values about what may be set. */
export interface SetEnvironment {
  readonly network: NetworkDefinition;
  readonly devices: DeviceChoice;
}

/** A parameter: what is checked, what is done and what is documented, in one place. */
export interface ParameterDefinition {
  readonly name: string;
  readonly type: ValueType;
  readonly count: ValueCount;
  /** What is allowed, in words that follow "give"; empty where a parameter cannot be set. */
  readonly range: string;
  /** As documentation has it; empty where there is none. */
  readonly default: string;
  /** What a set initialises anew or sets to 0, in a sentence; null where it touches no weight. */
  readonly reinitializes: string | null;
  /** What it is, in a sentence or two. */
  readonly documentation: string;
  /** Null where it cannot be read. */
  readonly get: ((view: ParameterView) => readonly Value[]) | null;
  /** Checks values and writes them to the draft; throws a Refusal. Null where it cannot be set. */
  readonly set: ((draft: Draft, values: readonly Value[], environment: SetEnvironment) => void) | null;
  /** Makes it agree with the other parameters when all sets of a call are made; throws a Refusal. Null where it depends on none. */
  readonly agree: Agreement | null;
}

/** How many values a parameter has; `any` means one or more. */
export type ValueCount = number | 'any' | 'none or more';

/**
 * @param before the settings before the call
 * @param assigned names of the parameters that the call sets
 */
export type Agreement = (draft: Draft, before: Settings, assigned: ReadonlySet<string>, environment: SetEnvironment) => void;

/** `get`, `set` or both. */
export function access(parameter: ParameterDefinition): string {
  return [parameter.get && 'get', parameter.set && 'set'].filter((kind) => kind !== null).join(', ');
}

interface Options<T extends ValueType> {
  readonly name: string;
  readonly type: T;
  readonly count?: ValueCount;
  readonly range?: string;
  readonly default?: string;
  readonly reinitializes?: string;
  readonly documentation: string;
  readonly get?: (view: ParameterView) => readonly ValueTypes[T][];
  /** Whether a value is in its range. */
  readonly admits?: (value: ValueTypes[T], environment: SetEnvironment) => boolean;
  /** What a value out of its range is refused with. @default WRONG_VALUE */
  readonly outOfRange?: (value: ValueTypes[T], environment: SetEnvironment) => Refusal;
  readonly set?: (draft: Draft, values: readonly ValueTypes[T][], environment: SetEnvironment) => void;
  readonly agree?: Agreement;
}

/** Builds a definition whose `set` checks number, type and range of the values, in this order. */
export function parameter<T extends ValueType>(options: Options<T>): ParameterDefinition {
  const { name, type, count = 1, range = '', get, set } = options;
  return {
    name,
    type,
    count,
    range,
    default: options.default ?? '',
    reinitializes: options.reinitializes ?? null,
    documentation: options.documentation,
    get: get ?? null,
    set:
      set === undefined
        ? null
        : (draft, values, environment) => {
            checkCount(name, count, values.length);
            const typed = values.map((value) => expectType(name, type, value));
            for (const value of typed) {
              if (options.admits?.(value, environment) === false) throw outOfRange(options, value, environment);
            }
            set(draft, typed, environment);
          },
    agree: options.agree ?? null,
  };
}

function checkCount(name: string, count: ValueCount, got: number): void {
  if (count === 'none or more') return;
  if (count === 'any' ? got === 0 : got !== count) {
    throw refuse('WRONG_VALUE_COUNT', { name, got, wanted: count === 'any' ? 'at least 1' : count });
  }
}

function outOfRange<T extends ValueType>(options: Options<T>, value: ValueTypes[T], environment: SetEnvironment): Refusal {
  if (options.outOfRange !== undefined) return options.outOfRange(value, environment);
  return refuse('WRONG_VALUE', { name: options.name, got: String(value), wanted: options.range ?? '' });
}
