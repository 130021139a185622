import type { DlClassifierError } from '../errors/error.js';
import {
  ClassesNotSetError,
  ClassifierFailedError,
  DeviceLostError,
  DeviceMemoryExhaustedError,
  HandleClearedError,
  StepMismatchError,
  UnknownHandleError,
  WrongHandleKindError,
} from '../errors/refusals.js';

/** Refusals of the classifier as it is: the next batch would meet the same. */
const OF_THE_CLASSIFIER = [
  UnknownHandleError,
  HandleClearedError,
  WrongHandleKindError,
  ClassesNotSetError,
  StepMismatchError,
  ClassifierFailedError,
  DeviceLostError,
  DeviceMemoryExhaustedError,
] as const;

/** Whether a refused batch is at fault itself, so that a stream can go on without it: not where the server asks for it once more. */
export function isOfTheBatch(error: DlClassifierError<string>): boolean {
  return !error.retryable && !OF_THE_CLASSIFIER.some((Refusal) => error instanceof Refusal);
}
