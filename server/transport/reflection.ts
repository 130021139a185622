import { join } from 'node:path';
import type { Server } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { PACKAGE_ROOT } from '../../package/root.js';

/** Lets gRPC tools ask the server for its contract. */
export function addReflection(server: Server): void {
  const files = ['dlclassifier/v1/classifier_service.proto', 'dlclassifier/v1/image_service.proto'];
  const definition = loadSync(files, { includeDirs: [join(PACKAGE_ROOT, 'proto')] });
  new ReflectionService(definition).addToServer(server);
}
