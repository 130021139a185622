import { inspect } from 'node:util';
import type { NamedValues, ParamValue } from '../../generated/dlclassifier/v1/param.js';

/** A value as a program has it. int64 becomes a number: nothing here exceeds 2^53. */
export type Value = number | string | boolean | Readonly<Record<string, string>>;

/**
 * A value as the contract has it. Numbers are reals where `real` asks for it or where they are no integers: the server refuses
 * what it does not take, by name.
 */
export function encodeValue(name: string, value: unknown, real: boolean): ParamValue {
  if (typeof value === 'number') {
    if (real || !Number.isSafeInteger(value)) return { value: { $case: 'realValue', value } };
    return { value: { $case: 'intValue', value: BigInt(value) } };
  }
  if (typeof value === 'string') return { value: { $case: 'stringValue', value } };
  if (typeof value === 'boolean') return { value: { $case: 'boolValue', value } };
  if (isStringMap(value)) return { value: { $case: 'mapValue', value: { entries: new Map(Object.entries(value)) } } };
  throw new TypeError(`${name}: ${inspect(value)} is no number, string, truth value or map of strings`);
}

function decodeValue({ value }: ParamValue): Value {
  switch (value?.$case) {
    case 'intValue':
      return Number(value.value);
    case 'realValue':
    case 'stringValue':
    case 'boolValue':
      return value.value;
    case 'mapValue':
      return Object.fromEntries(value.value.entries);
    case undefined:
      throw new TypeError('the server sent a value of a type that this library does not know; update it');
  }
}

/** Of results and parameters with one value each, or several: by name. */
export function decodeValues(named: readonly NamedValues[], isList: (name: string) => boolean): Record<string, Value | Value[]> {
  return Object.fromEntries(
    named.map(({ name, values }) => {
      const decoded = values.map(decodeValue);
      const [first] = decoded;
      return [name, isList(name) || first === undefined ? decoded : first];
    }),
  );
}

function isStringMap(value: unknown): value is Record<string, string> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((entry) => typeof entry === 'string')
  );
}
