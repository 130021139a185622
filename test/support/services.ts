import { type Client, credentials, loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';

const REFLECTION_PROTO = 'node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto';

interface MethodDefinition {
  readonly path: string;
  requestSerialize(value: object): Buffer;
  responseDeserialize(bytes: Buffer): object;
}

/** Asks grpc.health.v1.Health, as a load balancer does. */
export class HealthClient {
  readonly #definition = loadSync(healthProto, { enums: String });
  readonly #method = methodOf(this.#definition, 'grpc.health.v1.Health', 'Check');
  readonly #client: Client;

  constructor(address: string) {
    this.#client = connect(this.#definition, 'grpc.health.v1.Health', address);
  }

  /** `SERVING` or `NOT_SERVING`. */
  check(service: string): Promise<string> {
    const { path, requestSerialize, responseDeserialize } = this.#method;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, response) => {
        if (error !== null) reject(error);
        else resolve((response as { status: string }).status);
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** The services that the server tells by reflection, as gRPC tools ask for them. */
export async function reflectedServices(address: string): Promise<string[]> {
  const definition = loadSync(REFLECTION_PROTO, { keepCase: true });
  const service = 'grpc.reflection.v1.ServerReflection';
  const { path, requestSerialize, responseDeserialize } = methodOf(definition, service, 'ServerReflectionInfo');
  const client = connect(definition, service, address);
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  stream.write({ list_services: '' });
  stream.end();
  try {
    for await (const response of stream) {
      const { list_services_response: list } = response as { list_services_response: { service: { name: string }[] } };
      return list.service.map(({ name }) => name);
    }
    throw new Error('no answer');
  } finally {
    client.close();
  }
}

function connect(definition: PackageDefinition, service: string, address: string): Client {
  const namespace: unknown = loadPackageDefinition(definition);
  const clientClass = service.split('.').reduce((value, name) => (value as Record<string, unknown>)[name], namespace);
  return new (clientClass as new (address: string, creds: unknown) => Client)(address, credentials.createInsecure());
}

function methodOf(definition: PackageDefinition, service: string, method: string): MethodDefinition {
  return (definition[service] as unknown as Record<string, MethodDefinition>)[method] as MethodDefinition;
}
