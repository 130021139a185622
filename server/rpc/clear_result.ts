import type { ClearResultRequest, ClearResultResponse } from '../../generated/dlclassifier/v1/classifier.js';
import type { CallContext } from './context.js';

/** ClearResult: all of these or none. */
export async function clearResult({ results }: ClearResultRequest, { server }: CallContext): Promise<ClearResultResponse> {
  server.handles.clear('apply_result', results);
  return {};
}
