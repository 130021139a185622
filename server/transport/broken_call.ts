import { Metadata, type StatusObject, type status } from '@grpc/grpc-js';

/** A call in which the client sends what no message can be read from: its framing or its encoding is wrong. */
export class BrokenCall extends Error {
  override readonly name = 'BrokenCall';
  readonly status: StatusObject;

  constructor(code: status, details: string) {
    super(details);
    this.status = { code, details, metadata: new Metadata() };
  }
}
