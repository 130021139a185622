import type { ClearTrainResultRequest, ClearTrainResultResponse } from '../../generated/dlclassifier/v1/classifier.js';
import type { CallContext } from './context.js';

/** ClearTrainResult: all of these or none. */
export async function clearTrainResult(
  { trainResults }: ClearTrainResultRequest,
  { server }: CallContext,
): Promise<ClearTrainResultResponse> {
  server.handles.clear('train_result', trainResults);
  return {};
}
