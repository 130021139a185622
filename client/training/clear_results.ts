import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { TrainResult } from '../classifier/train_result.js';
import { HandleClearedError, UnknownHandleError } from '../errors/refusals.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';

/** Clears train results in one call; where one of them has expired, the others one by one. */
export async function clearTrainResults(connection: Connection, results: readonly TrainResult[], options: CallOptions): Promise<void> {
  const open = results.filter((result) => !result.cleared);
  if (open.length === 0) return;
  try {
    await connection.unary(service.clearTrainResult, { trainResults: open.map((result) => result.handle) }, options);
    for (const result of open) result.markCleared();
  } catch (error) {
    if (!(error instanceof HandleClearedError) && !(error instanceof UnknownHandleError)) throw error;
    for (const result of open) await result[Symbol.asyncDispose]();
  }
}
