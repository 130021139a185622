import type { ClearClassifierRequest, ClearClassifierResponse } from '../../generated/dlclassifier/v1/classifier.js';
import type { CallContext } from './context.js';

/** ClearClassifier: all of these or none. The handles end at once, the memory is free when the calls under way have ended. */
export async function clearClassifier({ classifiers }: ClearClassifierRequest, { server }: CallContext): Promise<ClearClassifierResponse> {
  const cleared = server.handles.clear('classifier', classifiers);
  await Promise.all(cleared.map((classifier) => classifier.close()));
  return {};
}
