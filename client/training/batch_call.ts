import { TrainBatchesRequest, type TrainBatchesResponse } from '../../generated/dlclassifier/v1/classifier.js';
import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { Outgoing } from '../upload/outgoing.js';
import { COMMIT_OF_NOTHING } from '../upload/send.js';
import { type StepCall, stepHeader } from './step_call.js';

const method = service.trainBatches;

/** One TrainBatches call, from one connection. */
export class BatchCall {
  readonly #outgoing: Outgoing;
  readonly #stream: ReturnType<Connection['exchange']>['stream'];
  /** `opened`, then the answers in the order of the batches. Rejects with this library's errors. */
  readonly responses: AsyncIterable<TrainBatchesResponse>;

  /** @param unanswered `requestId` of batches that were sent in an earlier call and may be applied */
  constructor(
    connection: Connection,
    call: { readonly classifier: string; readonly continueAfterRefusal: boolean; readonly unanswered: string[] },
    options: Pick<CallOptions, 'signal'>,
  ) {
    const { stream, responses } = connection.exchange(method, options);
    this.#stream = stream;
    this.#outgoing = new Outgoing(stream);
    this.responses = responses;
    this.#write({ call }).catch((error: unknown) => this.fail(error));
  }

  /** Sends a batch as fast as the server takes it. Resolves with false if the call has ended; rejects where the batch cannot be encoded. */
  async send(step: StepCall): Promise<boolean> {
    const header = stepHeader(step);
    if (step.payload.body.byteLength === 0) return await this.#write({ header, commit: COMMIT_OF_NOTHING });
    if (!(await this.#write({ header }))) return false;
    const checksum = await this.#outgoing.writeBody(step.payload.body);
    return checksum !== null && (await this.#write({ commit: { crc32: checksum } }));
  }

  /** No batch follows; the server answers those that it has. */
  end(): void {
    this.#stream.end();
  }

  /** The server ends after the step that runs. */
  cancel(): void {
    this.#stream.cancel();
  }

  /** Ends it because of something on this side: whoever reads the responses gets this error. */
  fail(error: unknown): void {
    this.#stream.destroy(error instanceof Error ? error : new Error(String(error), { cause: error }));
  }

  async #write(fields: Partial<Pick<TrainBatchesRequest, 'call' | 'header' | 'commit'>>): Promise<boolean> {
    return await this.#outgoing.write(method.requestSerialize(TrainBatchesRequest.fromPartial(fields)));
  }
}
