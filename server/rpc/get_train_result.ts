import type { GetTrainResultRequest, GetTrainResultResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { readTrainResult } from '../classifier/train_result.js';
import type { CallContext } from './context.js';
import { toNamedValues } from './values.js';

/** GetTrainResult: the loss of a step and its parts. */
export async function getTrainResult(request: GetTrainResultRequest, { server }: CallContext): Promise<GetTrainResultResponse> {
  const result = server.handles.get('train_result', request.trainResult);
  return { results: readTrainResult(result, request.names).map(toNamedValues) };
}
