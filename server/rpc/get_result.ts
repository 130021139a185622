import type { GetResultRequest, GetResultResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { readApplyResult } from '../classifier/apply_result.js';
import type { CallContext } from './context.js';
import { toNamedValues } from './values.js';

/** GetResult: the best class of each image, or all classes of one. */
export async function getResult({ result: handle, index, names }: GetResultRequest, { server }: CallContext): Promise<GetResultResponse> {
  const result = server.handles.get('apply_result', handle);
  const wanted = index?.$case === 'image' ? index.value : 'all';
  return { results: readApplyResult(result, wanted, names).map(toNamedValues) };
}
