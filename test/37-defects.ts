import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { credentials, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { ClassifierServiceClient, ClassifierServiceService } from '../generated/dlclassifier/v1/classifier_service.js';
import { type CallEnvironment, download, unary } from '../server/transport/handlers.js';
import { RunningCalls } from '../server/transport/running_calls.js';
import { call, errorInfo, download as receiveAll } from './support/calls.js';

/** A handler with a defect, and one that notices its client's going. */
class BrokenService {
  readonly lines = new PassThrough();
  readonly calls = new RunningCalls();
  readonly server = new Server();
  readonly aborted: unknown[] = [];

  async listen(): Promise<ClassifierServiceClient> {
    const environment: CallEnvironment<AbortSignal> = {
      calls: this.calls,
      log: pino(this.lines),
      transferIdleSeconds: 60,
      context: (signal) => signal,
    };
    const { getServerInfo, serializeClassifier, listClassifiers } = ClassifierServiceService;
    this.server.addService(
      { getServerInfo, serializeClassifier, listClassifiers },
      {
        getServerInfo: unary(environment, async () => {
          throw new TypeError('secret path /home/somebody');
        }),
        serializeClassifier: download(environment, async function* () {
          yield { totalBytes: 2n, data: Uint8Array.of(1), commit: undefined };
          throw new TypeError('secret path /home/somebody');
        }),
        listClassifiers: unary(environment, async (_request, signal) => {
          await once(signal, 'abort');
          this.aborted.push(signal.reason);
          throw signal.reason;
        }),
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    return new ClassifierServiceClient(`127.0.0.1:${port}`, credentials.createInsecure());
  }
}

async function open(t: ExecutionContext): Promise<{ service: BrokenService; client: ClassifierServiceClient }> {
  const service = new BrokenService();
  const client = await service.listen();
  t.teardown(() => {
    client.close();
    service.server.forceShutdown();
  });
  return { service, client };
}

async function nextLine(service: BrokenService): Promise<Record<string, unknown>> {
  const [line] = await once(service.lines, 'data');
  return JSON.parse(String(line));
}

function isIncident(t: ExecutionContext, error: ServiceError, line: Record<string, unknown>): void {
  t.is(error.code, status.INTERNAL);
  t.false(error.details.includes('secret'));
  const { reason, metadata } = errorInfo(error);
  t.is(reason, 'INTERNAL');
  t.is(metadata.problem, `incident ${line.incident}`);
  t.regex(JSON.stringify(line.err), /TypeError: secret path .*at /s);
}

test('a defect is INTERNAL with the number of an incident; the log has its stack, the caller does not', async (t) => {
  const { service, client } = await open(t);
  const [error, line] = await Promise.all([t.throwsAsync<ServiceError>(call(client, 'getServerInfo', {})), nextLine(service)]);
  isIncident(t, error, line);
});

test('a defect in the middle of a stream ends it the same way', async (t) => {
  const { service, client } = await open(t);
  const answer = receiveAll(client, 'serializeClassifier', { classifier: '' });
  const [error, line] = await Promise.all([t.throwsAsync<ServiceError>(answer), nextLine(service)]);
  isIncident(t, error, line);
});

test("a client that cancels aborts its handler's signal", async (t) => {
  const { service, client } = await open(t);
  const pending = client.listClassifiers({}, () => {});
  while (service.calls.count === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  pending.cancel();
  while (service.aborted.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  t.is((service.aborted[0] as Error).name, 'CallCancelled');
});

test('a server that stops aborts its handlers with SERVER_STOPPING, refuses new calls and waits for the last', async (t) => {
  const { service, client } = await open(t);
  const pending = call(client, 'listClassifiers', {});
  while (service.calls.count === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const stopped = service.calls.stop();
  t.is(errorInfo(await t.throwsAsync<ServiceError>(pending)).reason, 'SERVER_STOPPING');
  await stopped;
  t.is(service.calls.count, 0);
  t.is(errorInfo(await t.throwsAsync<ServiceError>(call(client, 'getServerInfo', {}))).reason, 'SERVER_STOPPING');
});
