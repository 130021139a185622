import type { Server } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { ClassifierServiceClient } from '../../generated/dlclassifier/v1/classifier_service.js';
import { ImageServiceClient } from '../../generated/dlclassifier/v1/image_service.js';

/** The whole server (the empty name) and the services that it has. */
const SERVICES = ['', ClassifierServiceClient.serviceName, ImageServiceClient.serviceName];

/** grpc.health.v1.Health: SERVING from the start, NOT_SERVING once the server stops. */
export class Health {
  readonly #implementation = new HealthImplementation(Object.fromEntries(SERVICES.map((service) => [service, 'SERVING'])));

  addTo(server: Server): void {
    this.#implementation.addToServer(server);
  }

  setNotServing(): void {
    for (const service of SERVICES) this.#implementation.setStatus(service, 'NOT_SERVING');
  }
}
