import { type Client, credentials, loadPackageDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import anyTest from 'ava';
import { protoPath } from 'grpc-health-check';
import { startDaemon } from './support/daemon.js';

const test = anyTest.serial;

/** One request, one response, by the JSON-like messages of @grpc/proto-loader. */
type Call = (request: object) => Promise<{ readonly status: string }>;

function healthCheck(address: string): { readonly check: Call; close(): void } {
  const definition = loadSync(protoPath, { enums: String });
  const client = serviceClient(definition, 'grpc.health.v1.Health', address);
  const { path, requestSerialize, responseDeserialize } = methodOf(definition, 'grpc.health.v1.Health', 'Check');
  const check: Call = (request) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, response) => {
        if (error !== null) reject(error);
        else resolve(response as { status: string });
      });
    });
  return { check, close: () => client.close() };
}

function serviceClient(definition: PackageDefinition, service: string, address: string): Client {
  const constructor = service
    .split('.')
    .reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], loadPackageDefinition(definition));
  return new (constructor as new (address: string, creds: unknown) => Client)(address, credentials.createInsecure());
}

function methodOf(definition: PackageDefinition, service: string, method: string) {
  const found = (definition[service] as Record<string, unknown>)[method];
  return found as { path: string; requestSerialize: (value: object) => Buffer; responseDeserialize: (bytes: Buffer) => object };
}

test('the server and its service are SERVING, others unknown', async (t) => {
  const daemon = await startDaemon();
  const health = healthCheck(daemon.address);
  t.is((await health.check({ service: '' })).status, 'SERVING');
  t.is((await health.check({ service: 'dlclassifier.v1.ClassifierService' })).status, 'SERVING');
  const error = await t.throwsAsync<ServiceError>(health.check({ service: 'other' }));
  t.is(error.code, status.NOT_FOUND);
  health.close();
  await daemon.stop();
});

/** The services that the server tells by reflection. */
async function reflectedServices(address: string): Promise<string[]> {
  const definition = loadSync(REFLECTION_PROTO, { keepCase: true });
  const { path, requestSerialize, responseDeserialize } = methodOf(
    definition,
    'grpc.reflection.v1.ServerReflection',
    'ServerReflectionInfo',
  );
  const client = serviceClient(definition, 'grpc.reflection.v1.ServerReflection', address);
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  stream.write({ list_services: '' });
  stream.end();
  try {
    for await (const response of stream) {
      const { list_services_response } = response as { list_services_response: { service: { name: string }[] } };
      return list_services_response.service.map(({ name }) => name);
    }
    throw new Error('no answer');
  } finally {
    client.close();
  }
}

const REFLECTION_PROTO = 'node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto';

test('reflection tells the contract where it is switched on', async (t) => {
  const daemon = await startDaemon(['--reflection']);
  t.deepEqual(await reflectedServices(daemon.address), ['dlclassifier.v1.ClassifierService']);
  await daemon.stop();
});

test('reflection is off by default', async (t) => {
  const daemon = await startDaemon();
  const error = await t.throwsAsync<ServiceError>(reflectedServices(daemon.address));
  t.is(error.code, status.UNIMPLEMENTED);
  await daemon.stop();
});
