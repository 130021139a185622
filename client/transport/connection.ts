import {
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  type CallOptions as GrpcCallOptions,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { isServiceError, toClientError } from '../errors/decode.js';
import { ConnectionError } from '../errors/error.js';
import { type CallOptions, onAbort, untilAborted } from './call_options.js';
import { type ConnectOptions, channelCredentials, channelOptions } from './connect_options.js';
import { timeLimit } from './time_limit.js';

/** A method of the generated service definition. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** A call in both directions; the messages that it sends are encoded already. */
export interface ExchangeCall<Response> {
  readonly stream: ClientDuplexStream<Buffer, Response>;
  /** Rejects with this library's errors, or with the signal's reason. */
  readonly responses: AsyncIterable<Response>;
}

/** A call that sends messages which are encoded already, with the promise of its one response. */
export interface UploadCall<Response> {
  readonly stream: ClientWritableStream<Buffer>;
  readonly response: Promise<Response>;
}

/** A call of any kind, as grpc-js has it. */
interface Cancellable {
  cancel(): void;
  once(event: 'status', listener: () => void): unknown;
}

type Callback<Response> = (error: ServiceError | null, response?: Response) => void;

const UNAVAILABLE = { reason: null, number: null, status: status.UNAVAILABLE, metadata: {} } as const;

const encodedAlready = (message: Buffer): Buffer => message;

/** The one HTTP/2 connection of a client. Its calls reject with this library's errors, or with the reason of their AbortSignal. */
export class Connection {
  readonly #client: GrpcClient;
  readonly #timeoutMs: number;
  readonly #transferTimeoutMs: number;
  /** Tells the user of something that is no error. */
  readonly warn: (message: string) => void;
  /** Those under way. */
  readonly #calls = new Set<Cancellable>();
  #closed = false;

  constructor(
    readonly address: string,
    options: ConnectOptions,
  ) {
    this.#client = new GrpcClient(address, channelCredentials(options), channelOptions(options));
    this.#timeoutMs = options.timeoutMs ?? 60_000;
    this.#transferTimeoutMs = options.transferTimeoutMs ?? 600_000;
    this.warn = options.onWarning ?? ((message) => process.emitWarning(message, 'DlClassifierWarning'));
  }

  /** @throws ConnectionError when the server is not there within the time */
  async ready(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const connected = new Promise<void>((resolve, reject) => {
      this.#client.waitForReady(Date.now() + timeLimit(timeoutMs), (error) => (error === undefined ? resolve() : reject(error)));
    });
    try {
      await untilAborted(connected, signal);
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      const message = `nothing answers at ${this.address} within ${timeoutMs} ms; is dl-classifierd running there, and is TLS set as it is?`;
      throw new ConnectionError(message, { ...UNAVAILABLE, retryable: true, cause });
    }
  }

  /** Calls under way are cancelled. */
  close(): void {
    this.#closed = true;
    for (const call of this.#calls) call.cancel();
    this.#client.close();
  }

  /** A request, a response. `transfer` says that it may take long. */
  async unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
    transfer = false,
  ): Promise<Response> {
    return await this.#call<Response, ClientUnaryCall>(options, (callback) =>
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        this.#grpcOptions(options, transfer),
        callback,
      ),
    ).response;
  }

  /** Messages that are encoded already, a response. */
  upload<Request, Response>(method: Method<Request, Response>, options: CallOptions): UploadCall<Response> {
    const { call, response } = this.#call<Response, ClientWritableStream<Buffer>>(options, (callback) =>
      this.#client.makeClientStreamRequest(
        method.path,
        encodedAlready,
        method.responseDeserialize,
        new Metadata(),
        this.#grpcOptions(options, true),
        callback,
      ),
    );
    return { stream: call, response };
  }

  /** Messages that are encoded already, responses. It has no deadline of its own. */
  exchange<Request, Response>(method: Method<Request, Response>, { signal }: Pick<CallOptions, 'signal'>): ExchangeCall<Response> {
    this.#expectUsable({ signal });
    const stream: ClientDuplexStream<Buffer, Response> = this.#client.makeBidiStreamRequest(
      method.path,
      encodedAlready,
      method.responseDeserialize,
      new Metadata(),
    );
    this.#untilEnded(stream);
    // Whoever iterates hears of it; nobody may do so yet.
    stream.on('error', () => {});
    return { stream, responses: this.#responsesOf(stream, signal) };
  }

  /** Milliseconds that a call with images may take; Infinity is no limit. */
  transferTimeout({ timeoutMs }: CallOptions): number {
    return timeLimit(timeoutMs ?? this.#transferTimeoutMs);
  }

  /** A request, responses. */
  async *download<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
  ): AsyncGenerator<Response, void, undefined> {
    this.#expectUsable(options);
    const call: ClientReadableStream<Response> = this.#client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      new Metadata(),
      this.#grpcOptions(options, true),
    );
    this.#untilEnded(call);
    yield* this.#responsesOf(call, options.signal);
  }

  #call<Response, Call extends Cancellable>(
    options: CallOptions,
    start: (callback: Callback<Response>) => Call,
  ): { call: Call; response: Promise<Response> } {
    this.#expectUsable(options);
    let settle: Callback<Response> = () => {};
    const response = new Promise<Response>((resolve, reject) => {
      settle = (error, value) => {
        stopWaiting();
        if (value !== undefined) resolve(value);
        else reject(this.#asClientError(error, options.signal));
      };
    });
    const call = start((error, value) => settle(error, value));
    this.#untilEnded(call);
    const stopWaiting = onAbort(options.signal, () => call.cancel());
    return { call, response };
  }

  #untilEnded(call: Cancellable): void {
    this.#calls.add(call);
    call.once('status', () => this.#calls.delete(call));
  }

  #expectUsable({ signal }: CallOptions): void {
    signal?.throwIfAborted();
    if (this.#closed) throw this.#closedHere();
  }

  #closedHere(): ConnectionError {
    return new ConnectionError(`the connection to ${this.address} was closed here`, { ...UNAVAILABLE, retryable: false });
  }

  #grpcOptions({ timeoutMs }: CallOptions, transfer: boolean): GrpcCallOptions {
    return { deadline: Date.now() + (transfer ? this.transferTimeout({ timeoutMs }) : timeLimit(timeoutMs ?? this.#timeoutMs)) };
  }

  async *#responsesOf<Response>(
    call: ClientReadableStream<Response> | ClientDuplexStream<Buffer, Response>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Response, void, undefined> {
    // The iteration reports it; a cancelled call reports it once more, when nobody listens.
    call.on('error', () => {});
    const stopWaiting = onAbort(signal, () => call.cancel());
    try {
      yield* call;
    } catch (error) {
      throw this.#asClientError(error, signal);
    } finally {
      stopWaiting();
      call.cancel();
    }
  }

  #asClientError(error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted) return signal.reason;
    if (!isServiceError(error)) return error;
    return this.#closed && error.code === status.CANCELLED ? this.#closedHere() : toClientError(error);
  }
}
