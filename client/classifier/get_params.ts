import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { Connection } from '../transport/connection.js';
import { type RepeatableCallOptions, repeatable } from '../transport/retry.js';
import { PARAMETER_KINDS } from './parameters.js';
import { decodeValues } from './values.js';

/** Reads parameters; no names mean all. */
export async function getParams(
  connection: Connection,
  classifier: string,
  names: readonly string[],
  options: RepeatableCallOptions,
): Promise<Record<string, unknown>> {
  const request = { classifier, names: [...names] };
  const response = await repeatable(options, () => connection.unary(service.getParam, request, options));
  return decodeValues(response.params, isList);
}

function isList(name: string): boolean {
  return Object.hasOwn(PARAMETER_KINDS, name) && PARAMETER_KINDS[name as keyof typeof PARAMETER_KINDS].list;
}
