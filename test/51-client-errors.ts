import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import test from 'ava';
import { Handle } from '../client/classifier/handle.js';
import { REFUSAL_CLASSES } from '../client/errors/by_reason.js';
import { toClientError } from '../client/errors/decode.js';
import * as library from '../client/index.js';
import { ConnectionError, DeadlineExceededError, DlClassifierError, TransportError, WrongImageCountError } from '../client/index.js';
import type { Connection } from '../client/transport/connection.js';
import { ErrorReason } from '../generated/dlclassifier/v1/error.js';
import { Status } from '../generated/google/rpc/status.js';
import { type CatalogueEntry, catalogue, type Reason } from '../server/errors/catalogue.js';
import { Refusal } from '../server/errors/refusal.js';
import { toStatus } from '../server/transport/status.js';

const PREFIX = 'ERROR_REASON_';
const REASONS = Object.values(ErrorReason)
  .filter((name): name is string => typeof name === 'string')
  .map((name) => name.slice(PREFIX.length))
  .filter((name) => name !== 'UNSPECIFIED');

/** An error as grpc-js gives it to a caller. */
function serviceError(code: status, details: string, metadata = new Metadata()): ServiceError {
  return Object.assign(new Error(`${code} ${status[code]}: ${details}`), { code, details, metadata });
}

for (const reason of REASONS) {
  test(`${reason} arrives as a class of its own, with all that the server said`, (t) => {
    const { number, status: wanted, retry, required } = catalogue[reason as Reason] as CatalogueEntry;
    const metadata = Object.fromEntries(required.map((key) => [key, `value of ${key}`]));
    const refusal = new Refusal(reason as Reason, metadata);
    const { code, details, metadata: trailers } = toStatus(refusal);
    const error = toClientError(serviceError(code ?? status.OK, details ?? '', trailers ?? undefined));

    const expected = REFUSAL_CLASSES[reason as keyof typeof REFUSAL_CLASSES];
    t.is(error.constructor, expected);
    t.true(error instanceof DlClassifierError);
    t.is(error.name, `${reason.toLowerCase().replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())}Error`);
    t.is((library as Record<string, unknown>)[error.name], expected, 'it can be imported from the library');
    t.like(error, { reason, number, status: wanted, retryable: retry, message: refusal.message });
    t.deepEqual(error.metadata, metadata);
  });
}

test('each reason has a class, and no class serves two', (t) => {
  t.deepEqual(Object.keys(REFUSAL_CLASSES).sort(), [...REASONS].sort());
  t.is(new Set(Object.values(REFUSAL_CLASSES)).size, REASONS.length);
});

test('a reason that this library does not know keeps its name', (t) => {
  const refusal = Object.assign(new Refusal('INTERNAL', { problem: 'x' }), { reason: 'FROM_THE_FUTURE' });
  const { code, details, metadata } = toStatus(refusal);
  const error = toClientError(serviceError(code ?? status.OK, details ?? '', metadata ?? undefined));
  t.is(error.constructor, DlClassifierError);
  t.is(error.reason, 'FROM_THE_FUTURE');
});

test('a status without a reason is a failure of the transport', (t) => {
  const unavailable = toClientError(serviceError(status.UNAVAILABLE, 'No connection established'));
  t.true(unavailable instanceof ConnectionError);
  t.like(unavailable, { reason: null, number: null, retryable: true, message: 'No connection established' });
  t.true(toClientError(serviceError(status.DEADLINE_EXCEEDED, 'late')) instanceof DeadlineExceededError);
  const other = toClientError(serviceError(status.UNIMPLEMENTED, 'what?'));
  t.is(other.constructor, TransportError);
  t.false(other.retryable);
});

test('details of another domain, of another type or that are no details do not become ours', (t) => {
  const garbled = new Metadata();
  garbled.set('grpc-status-details-bin', Buffer.from([0xff, 0xff, 0xff]));
  t.is(toClientError(serviceError(status.INTERNAL, 'x', garbled)).constructor, TransportError);

  const foreign = new Metadata();
  const details = [{ typeUrl: 'type.googleapis.com/google.rpc.RetryInfo', value: new Uint8Array([1, 2]) }];
  foreign.set('grpc-status-details-bin', Buffer.from(Status.encode({ code: 13, message: '', details }).finish()));
  t.is(toClientError(serviceError(status.INTERNAL, 'x', foreign)).constructor, TransportError);
});

test('the metadata of an error is typed by its class', (t) => {
  const details = {
    reason: 'WRONG_IMAGE_COUNT',
    number: 7800,
    status: status.INVALID_ARGUMENT,
    retryable: false,
    metadata: { wanted: '8' },
  };
  const error: unknown = new WrongImageCountError('8', details);
  if (!(error instanceof WrongImageCountError)) return t.fail();
  const wanted: string | undefined = error.metadata.wanted;
  return t.is(wanted, '8');
});

/** A handle whose clearing ends as it is told. */
class Held extends Handle {
  constructor(private readonly error: Error) {
    super(undefined as unknown as Connection, 'held');
  }

  override async clear(): Promise<void> {
    throw this.error;
  }
}

test('the end of a block hides no error of it where the server is gone, hangs or stops; other errors are heard', async (t) => {
  const stopping = toStatus(new Refusal('SERVER_STOPPING', {}));
  for (const gone of [
    toClientError(serviceError(status.UNAVAILABLE, 'no connection')),
    toClientError(serviceError(status.DEADLINE_EXCEEDED, 'late')),
    toClientError(serviceError(status.UNAVAILABLE, 'stopping', stopping.metadata ?? undefined)),
  ]) {
    const held = new Held(gone);
    await held[Symbol.asyncDispose]();
    t.true(held.cleared, gone.name);
  }
  const defect = new Held(toClientError(serviceError(status.INTERNAL, 'a defect')));
  await t.throwsAsync(defect[Symbol.asyncDispose](), { instanceOf: TransportError, message: 'a defect' });
});
