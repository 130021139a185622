import { type EventEmitter, once } from 'node:events';
import { constants } from 'node:http2';
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  ServerReadableStream,
  ServerWritableStream,
  StatusObject,
} from '@grpc/grpc-js';
import { Refusal } from '../errors/refusal.js';
import type { Logger } from '../log.js';
import { IdleLimit } from '../upload/idle_limit.js';
import type { UploadMessages } from '../upload/messages.js';
import { BrokenCall } from './broken_call.js';
import { describeDefect } from './defect.js';
import { internalsOf } from './http2_stream.js';
import { CallCancelled, type RunningCalls } from './running_calls.js';
import { toStatus } from './status.js';
import { uploadMessagesOf } from './upload_messages.js';

/** What the wrappers of all calls share. */
export interface CallEnvironment<Context> {
  readonly calls: RunningCalls;
  readonly log: Logger;
  /** In which a client must take the next message of a stream. */
  readonly transferIdleSeconds: number;
  /** Makes what a handler gets beside its request. */
  context(signal: AbortSignal, peer: string, log: Logger): Context;
}

type UnaryHandler<Request, Response, Context> = (request: Request, context: Context) => Promise<Response>;
type UploadHandler<Request, Response, Context> = (messages: UploadMessages<Request>, context: Context) => Promise<Response>;
type ExchangeHandler<Request, Response, Context> = (messages: UploadMessages<Request>, context: Context) => AsyncIterable<Response>;
type DownloadHandler<Request, Response, Context> = (request: Request, context: Context) => AsyncIterable<Response>;

/** One request, one response. */
export function unary<Request, Response, Context>(
  environment: CallEnvironment<Context>,
  handler: UnaryHandler<Request, Response, Context>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    runCall(environment, call, (context) => handler(call.request, context)).then((response) => callback(null, response), callback);
  };
}

/** A stream of requests, one response. The messages end where the stream ends, whatever the reason: see receiveUpload. */
export function upload<Request, Response, Context>(
  environment: CallEnvironment<Context>,
  handler: UploadHandler<Request, Response, Context>,
): handleClientStreamingCall<Request, Response> {
  return (call, callback) => {
    runCall(environment, call, async (context, signal) => {
      const messages = uploadMessagesOf(call, signal);
      try {
        return await handler(messages, context);
      } finally {
        messages.leave();
      }
    }).then((response) => callback(null, response), callback);
  };
}

/**
 * A stream of requests, a stream of responses. The handler sees to its signal itself: it may answer what it has begun before it ends with
 * the signal's reason.
 */
export function exchange<Request, Response, Context>(
  environment: CallEnvironment<Context>,
  handler: ExchangeHandler<Request, Response, Context>,
): handleBidiStreamingCall<Request, Response> {
  return (call) => {
    runCall(environment, call, async (context, signal) => {
      const messages = uploadMessagesOf(call, signal);
      try {
        await sendAll(environment, call, handler(messages, context), signal);
      } finally {
        messages.leave();
      }
    }).then(
      () => call.end(),
      (status) => call.emit('error', status),
    );
  };
}

/** One request, a stream of responses, made no faster than the client takes them. */
export function download<Request, Response, Context>(
  environment: CallEnvironment<Context>,
  handler: DownloadHandler<Request, Response, Context>,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    runCall(environment, call, (context, signal) =>
      sendAll(environment, call, whileWanted(handler(call.request, context), signal), signal),
    ).then(
      () => call.end(),
      (status) => call.emit('error', status),
    );
  };
}

async function* whileWanted<Response>(responses: AsyncIterable<Response>, signal: AbortSignal): AsyncGenerator<Response> {
  for await (const response of responses) {
    signal.throwIfAborted();
    yield response;
  }
}

async function sendAll<Response>(
  { transferIdleSeconds }: Pick<CallEnvironment<unknown>, 'transferIdleSeconds'>,
  call: Pick<ServerWritableStream<unknown, Response>, 'write'> & EventEmitter,
  responses: AsyncIterable<Response>,
  signal: AbortSignal,
): Promise<void> {
  const limit = new IdleLimit(transferIdleSeconds);
  try {
    for await (const response of responses) {
      if (call.write(response)) continue;
      await limit.within(once(call, 'drain', { signal }), () => 'nothing more was taken of what the server sends');
    }
  } catch (error) {
    // The status would wait behind what is not taken.
    if (error instanceof Refusal && error.reason === 'CLIENT_STALLED') internalsOf(call).stream.close(constants.NGHTTP2_CANCEL);
    throw error;
  } finally {
    limit.end();
  }
}

/** What calls of all kinds have in common. */
type AnyCall = Pick<ServerReadableStream<unknown, unknown>, 'cancelled' | 'getPeer' | 'getPath'> & {
  on(event: 'cancelled', listener: () => void): unknown;
};

/**
 * Runs a handler as a call that counts as running, with a signal that is aborted when the client goes.
 *
 * @throws StatusObject, what grpc-js answers with
 */
async function runCall<Response, Context>(
  environment: CallEnvironment<Context>,
  call: AnyCall,
  work: (context: Context, signal: AbortSignal) => Promise<Response>,
): Promise<Response> {
  const peer = call.getPeer();
  const log = environment.log.child({ method: call.getPath(), peer });
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  try {
    const response = await environment.calls.run(async (controller) => {
      const { signal } = controller;
      // grpc-js also says so of calls that were answered before their stream ended.
      let answered = false;
      const cancel = () => {
        if (!answered) controller.abort(new CallCancelled());
      };
      call.on('cancelled', cancel);
      if (call.cancelled) cancel();
      try {
        return await work(environment.context(signal, peer, log), signal);
      } catch (error) {
        // Node's own functions throw an AbortError of theirs in place of the reason.
        throw signal.aborted && error instanceof Error && error.name === 'AbortError' ? signal.reason : error;
      } finally {
        answered = true;
      }
    });
    log.debug({ seconds: seconds() }, 'answered');
    return response;
  } catch (error) {
    throw failureStatus(error, log, seconds());
  }
}

function failureStatus(error: unknown, log: Logger, seconds: number): StatusObject {
  if (error instanceof Refusal) {
    log.info({ seconds, reason: error.reason, problem: error.message }, 'refused');
    return toStatus(error);
  }
  if (error instanceof BrokenCall) {
    log.info({ seconds, problem: error.message }, 'nothing can be read from what the client sends');
    return error.status;
  }
  if (error instanceof CallCancelled) {
    log.debug({ seconds }, 'cancelled by the client');
    return error.status;
  }
  return toStatus(describeDefect(error, log));
}
