/**
 * What the images of a case are sent as. All arrive, are checked, decoded and laid ready for the engine; those that are `trained` are trained
 * as well, the others are refused at the moment when the engine would begin.
 */
export type Content = 'pixels' | 'trained' | 'jpeg' | 'references';

/** How the two processes are connected; `0ms` and `10ms` through a process that passes bytes on, with so much of a round trip added. */
export type Route = 'tcp' | 'unix' | '0ms' | '10ms';

export interface WireCase {
  /** For instance `pixels tcp`, `jpeg 10ms tls`. */
  readonly name: string;
  readonly content: Content;
  readonly route: Route;
  readonly tls: boolean;
}

/** Pixels of a row, and rows, of each image; three channels of 8 bits. */
export const IMAGE_SIZE = 224;
export const IMAGE_BYTES = IMAGE_SIZE * IMAGE_SIZE * 3;

/** Images of a batch. */
export const BATCH_IMAGES = 32;

function wireCase(content: Content, route: Route, tls: boolean): WireCase {
  return { name: [content, route, ...(tls ? ['tls'] : [])].join(' '), content, route, tls };
}

export const WIRE_CASES: readonly WireCase[] = [
  ...(['tcp', 'unix', '0ms', '10ms'] as const).map((route) => wireCase('pixels', route, false)),
  ...(['tcp', '10ms'] as const).map((route) => wireCase('pixels', route, true)),
  wireCase('trained', 'tcp', false),
  ...(['jpeg', 'references'] as const).flatMap((content) => [
    wireCase(content, 'tcp', false),
    wireCase(content, 'unix', false),
    wireCase(content, '10ms', false),
    wireCase(content, 'tcp', true),
    wireCase(content, '10ms', true),
  ]),
];

/** Where a server listens, and how its clients trust it. */
export interface Endpoint {
  /** `HOST:PORT` or `unix:PATH`. */
  readonly address: string;
  /** File of the certificate (PEM); null without TLS. */
  readonly certificate: string | null;
}

/** What a server of a peer is told to do. */
export interface ServerRequest {
  readonly protocol: 'http2' | 'tcp';
  /** Where to listen. */
  readonly address: string;
  readonly certificate: string | null;
  readonly key: string | null;
}

/** What a client of a peer is told to do: to send so many bytes a step. */
export interface ClientRequest extends Endpoint {
  readonly protocol: 'http2' | 'tcp';
  readonly stepBytes: number;
}
