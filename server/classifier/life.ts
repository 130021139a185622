import { isEngineError } from '../../native/index.js';
import { refuse } from '../errors/refusal.js';
import { type ClassifierEvent, type ClassifierState, nextState } from './states.js';

/** The state of a classifier, and why it failed. */
export class Life {
  #state: ClassifierState = 'fresh';
  #failure = '';

  get state(): ClassifierState {
    return this.#state;
  }

  take(event: ClassifierEvent): void {
    this.#state = nextState(this.#state, event);
  }

  /** @throws Refusal HANDLE_CLEARED, CLASSIFIER_FAILED */
  expectAlive(): void {
    if (this.#state === 'cleared') throw refuse('HANDLE_CLEARED', { handle_kind: 'classifier' });
    if (this.#state === 'failed') throw refuse('CLASSIFIER_FAILED', { problem: this.#failure });
  }

  /** Work of the engine on the classifier's model: a defect in it ends the classifier. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (isEngineError(error) && error.reason === 'INTERNAL') this.fail(error.message);
      // Cleared while a look at it was under way, which waits for nobody.
      if (this.#state === 'cleared') this.expectAlive();
      throw error;
    }
  }

  fail(problem: string): void {
    if (this.#state === 'failed' || this.#state === 'cleared') return;
    this.#failure = problem;
    this.take('fails');
  }
}
