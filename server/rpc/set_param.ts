import type { SetParamRequest, SetParamResponse } from '../../generated/dlclassifier/v1/classifier.js';
import type { CallContext } from './context.js';
import { fromNamedValues } from './values.js';

/** SetParam: one or several parameters, all or none. */
export async function setParam({ classifier: handle, params }: SetParamRequest, { server }: CallContext): Promise<SetParamResponse> {
  const classifier = server.handles.get('classifier', handle);
  return { reinitializedLayers: [...(await classifier.setParameters(params.map(fromNamedValues)))] };
}
