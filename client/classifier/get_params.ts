import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { PARAMETER_KINDS } from './parameters.js';
import { decodeValues } from './values.js';

/** Reads parameters; no names mean all. */
export async function getParams(
  connection: Connection,
  classifier: string,
  names: readonly string[],
  options: CallOptions,
): Promise<Record<string, unknown>> {
  const response = await connection.unary(service.getParam, { classifier, names: [...names] }, options);
  return decodeValues(response.params, isList);
}

function isList(name: string): boolean {
  return Object.hasOwn(PARAMETER_KINDS, name) && PARAMETER_KINDS[name as keyof typeof PARAMETER_KINDS].list;
}
