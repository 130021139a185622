import type { NamedValues, ParamValue } from '../../generated/dlclassifier/v1/param.js';
import { refuse } from '../errors/refusal.js';
import type { Assignment } from '../parameters/registry.js';
import type { Value } from '../parameters/value.js';

/** @throws Refusal WRONG_TYPE of a value that is left out */
export function fromNamedValues({ name, values }: NamedValues): Assignment {
  return { name, values: values.map((value) => fromParamValue(name, value)) };
}

export function toNamedValues({ name, values }: Assignment): NamedValues {
  return { name, values: values.map(toParamValue) };
}

function fromParamValue(name: string, { value }: ParamValue): Value {
  if (value === undefined) throw refuse('WRONG_TYPE', { name, got: 'a value that is left out', wanted: 'a value' });
  return value.$case === 'mapValue' ? value.value.entries : value.value;
}

function toParamValue(value: Value): ParamValue {
  switch (typeof value) {
    case 'bigint':
      return { value: { $case: 'intValue', value } };
    case 'number':
      return { value: { $case: 'realValue', value } };
    case 'string':
      return { value: { $case: 'stringValue', value } };
    case 'boolean':
      return { value: { $case: 'boolValue', value } };
    default:
      return { value: { $case: 'mapValue', value: { entries: new Map(value) } } };
  }
}
