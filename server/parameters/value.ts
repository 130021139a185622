import { refuse } from '../errors/refusal.js';

/** One value of a parameter or a result: an integer is a bigint, a real number a number. */
export type Value = bigint | number | string | boolean | StringMap;

/** The value of `meta_data`. */
export type StringMap = ReadonlyMap<string, string>;

/** The types by the names that documentation and refusals use. */
export interface ValueTypes {
  readonly int: bigint;
  readonly real: number;
  readonly string: string;
  readonly bool: boolean;
  readonly map: StringMap;
}

export type ValueType = keyof ValueTypes;

const TYPE_NAMES: Readonly<Record<ValueType, string>> = {
  int: 'an integer',
  real: 'a real number',
  string: 'a string',
  bool: 'a truth value',
  map: 'a string map',
};

export function valueType(value: Value): ValueType {
  switch (typeof value) {
    case 'bigint':
      return 'int';
    case 'number':
      return 'real';
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    default:
      return 'map';
  }
}

/**
 * The value as the type asked for; an integer may stand for a real number.
 *
 * @throws Refusal WRONG_TYPE
 */
export function expectType<T extends ValueType>(name: string, type: T, value: Value): ValueTypes[T] {
  const got = valueType(value);
  const converted = type === 'real' && typeof value === 'bigint' ? Number(value) : value;
  if (valueType(converted) !== type) throw refuse('WRONG_TYPE', { name, got: TYPE_NAMES[got], wanted: TYPE_NAMES[type] });
  return converted as ValueTypes[T];
}
