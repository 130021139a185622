import { type CallOptions, type Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { ClassifierServiceClient, ClassifierServiceService } from '../../generated/dlclassifier/v1/classifier_service.js';
import { ImageServiceService } from '../../generated/dlclassifier/v1/image_service.js';
import { ErrorInfo } from '../../generated/google/rpc/error_details.js';
import { Status } from '../../generated/google/rpc/status.js';

/** The calls of both services; a client of one can make those of the other. */
export const METHODS = { ...ClassifierServiceService, ...ImageServiceService };
type Definition = typeof METHODS;
export type Method = keyof Definition;
export type RequestOf<M extends Method> = Parameters<Definition[M]['requestSerialize']>[0];
export type ResponseOf<M extends Method> = ReturnType<Definition[M]['responseDeserialize']>;

type Serialize<T> = (value: T) => Buffer;
type Deserialize<T> = (bytes: Buffer) => T;

/** A bare gRPC client of the contract; the test closes it. A connection of its own, so that tests do not share one. */
export function connectTo(address: string): ClassifierServiceClient {
  return new ClassifierServiceClient(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': -1,
  });
}

/** One request, one response. */
export function call<M extends Method>(
  client: Client,
  method: M,
  request: RequestOf<M>,
  options: CallOptions = {},
): Promise<ResponseOf<M>> {
  const definition = METHODS[method];
  const serialize = definition.requestSerialize as Serialize<RequestOf<M>>;
  const deserialize = definition.responseDeserialize as Deserialize<ResponseOf<M>>;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(definition.path, serialize, deserialize, request, new Metadata(), options, (error, response) => {
      if (error !== null) reject(error);
      else if (response === undefined) reject(new Error('neither error nor response'));
      else resolve(response);
    });
  });
}

/** An upload whose messages the test sends itself. */
export interface OpenUpload<M extends Method> {
  /** Resolves when the message has left this process' buffers. */
  send(message: RequestOf<M>): Promise<void>;
  /** Half-close: no more messages. */
  end(): void;
  /** The client cancels. */
  cancel(): void;
  readonly response: Promise<ResponseOf<M>>;
}

export function openUpload<M extends Method>(client: Client, method: M, options: CallOptions = {}): OpenUpload<M> {
  const definition = METHODS[method];
  const serialize = definition.requestSerialize as Serialize<RequestOf<M>>;
  const deserialize = definition.responseDeserialize as Deserialize<ResponseOf<M>>;
  const { promise: response, resolve, reject } = deferred<ResponseOf<M>>();
  const stream = client.makeClientStreamRequest(definition.path, serialize, deserialize, new Metadata(), options, (error, value) => {
    if (error !== null) reject(error);
    else if (value === undefined) reject(new Error('neither error nor response'));
    else resolve(value);
  });
  // A test that expects no answer does not wait for it.
  response.catch(() => undefined);
  return {
    send: (message) => new Promise((sent) => stream.write(message, () => sent())),
    end: () => stream.end(),
    cancel: () => stream.cancel(),
    response,
  };
}

/** Resolves when the daemon has got what was sent on this client's connection: it has answered a later call. */
export async function untilArrived(client: Client): Promise<void> {
  await call(client, 'getServerInfo', {});
}

/** A whole upload. */
export async function upload<M extends Method>(client: Client, method: M, messages: readonly RequestOf<M>[]): Promise<ResponseOf<M>> {
  const open = openUpload(client, method);
  for (const message of messages) void open.send(message);
  open.end();
  return open.response;
}

/** All responses of a call that answers with a stream. */
export async function download<M extends Method>(client: Client, method: M, request: RequestOf<M>): Promise<ResponseOf<M>[]> {
  const definition = METHODS[method];
  const serialize = definition.requestSerialize as Serialize<RequestOf<M>>;
  const deserialize = definition.responseDeserialize as Deserialize<ResponseOf<M>>;
  const stream = client.makeServerStreamRequest(definition.path, serialize, deserialize, request);
  const responses: ResponseOf<M>[] = [];
  for await (const response of stream) responses.push(response as ResponseOf<M>);
  return responses;
}

/** The google.rpc.ErrorInfo of a refusal; throws where there is none. */
export function errorInfo(error: ServiceError): Omit<ErrorInfo, 'metadata'> & { readonly metadata: Readonly<Record<string, string>> } {
  const [encoded] = error.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(encoded)) throw new Error(`no details in ${error.message}`);
  const [detail] = Status.decode(encoded).details;
  if (detail?.typeUrl !== 'type.googleapis.com/google.rpc.ErrorInfo') throw new Error(`no ErrorInfo in ${error.message}`);
  const info = ErrorInfo.decode(detail.value);
  return { ...info, metadata: Object.fromEntries(info.metadata) };
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

function deferred<T>(): Deferred<T> {
  const functions: Partial<Pick<Deferred<T>, 'resolve' | 'reject'>> = {};
  const promise = new Promise<T>((resolve, reject) => Object.assign(functions, { resolve, reject }));
  return { promise, ...(functions as Pick<Deferred<T>, 'resolve' | 'reject'>) };
}
