import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { NamedValues } from '../../generated/dlclassifier/v1/param.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { PARAMETER_KINDS, type ParameterSet } from './parameters.js';
import { encodeValue } from './values.js';

/** Sets parameters, all or none. Resolves with the names of the layers that were initialised anew. */
export async function setParams(
  connection: Connection,
  classifier: string,
  parameters: ParameterSet,
  options: CallOptions,
): Promise<string[]> {
  const response = await connection.unary(service.setParam, { classifier, params: namedValues(parameters) }, options);
  return response.reinitializedLayers;
}

/** The parameters as they travel. */
export function namedValues(parameters: ParameterSet): NamedValues[] {
  return Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      // A name that only the server knows, or nobody: it decides.
      const real = Object.hasOwn(PARAMETER_KINDS, name) && PARAMETER_KINDS[name as keyof typeof PARAMETER_KINDS].value === 'real';
      const values: readonly unknown[] = Array.isArray(value) ? value : [value];
      return { name, values: values.map((single) => encodeValue(name, single, real)) };
    });
}
