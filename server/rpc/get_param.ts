import type { GetParamRequest, GetParamResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { readParameters } from '../parameters/registry.js';
import type { CallContext } from './context.js';
import { toNamedValues } from './values.js';

/** GetParam: one or several parameters, as they are between two other calls. */
export async function getParam({ classifier: handle, names }: GetParamRequest, { server }: CallContext): Promise<GetParamResponse> {
  const classifier = server.handles.get('classifier', handle);
  return { params: readParameters(classifier.view, names).map(toNamedValues) };
}
