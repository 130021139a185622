/** What the daemon may be told. Each value has been checked by the time a Config exists; see config_options.ts for flags and variables. */
export interface Config {
  /** Where it listens: `HOST:PORT` (port 0 takes any free one) or `unix:PATH`. @default '127.0.0.1:50051' */
  readonly listen: string;
  /** Secures the connections; null means that they are neither encrypted nor authenticated. @default null */
  readonly tls: TlsFiles | null;
  /** Folder of the stored classifiers; made if it is missing. @default './models' */
  readonly models: string;
  /** Folder of the stored images; made if it is missing. Null means `images` in that of the classifiers. @default null */
  readonly images: string | null;
  /** Threads that compute; null means all that the process may use. @default null */
  readonly threads: number | null;
  /** The least important kind of event that is logged. @default 'info' */
  readonly logLevel: LogLevel;
  /** Whether gRPC server reflection is served. @default false */
  readonly reflection: boolean;
  /** What the server admits. */
  readonly limits: Limits;
}

/** Files in PEM that secure the connections. */
export interface TlsFiles {
  /** The server's certificate, followed by those that lead from it to one that clients trust. */
  readonly certificate: string;
  /** The certificate's private key, without a passphrase. */
  readonly key: string;
  /** Certificates of the authorities that the certificate of each client must come from. Null lets all clients in. @default null */
  readonly clientCa: string | null;
}

/** What the server admits; more is refused before it costs memory. GetServerInfo tells them. */
export interface Limits {
  /** Bytes of one message. @default 2 MiB */
  readonly messageBytes: number;
  /** Bytes of images of one call, as sent and after decoding. @default 1 GiB */
  readonly uploadBytes: number;
  /** Bytes of all uploads that are under way, as declared. @default 4 GiB */
  readonly uploadBytesTotal: number;
  /** Bytes of one DeserializeClassifier or ImportWeights call. @default 2 GiB */
  readonly serializedBytes: number;
  /** Bytes of all stored images; 0 stores none, null means half of the disk that is free or taken by them at the start. @default null */
  readonly storedBytes: number | null;
  /** Bytes of one stored image. @default 64 MiB */
  readonly storedImageBytes: number;
  /** Bytes of pixels of stored images that are held in memory; null means an eighth of the machine's. @default null */
  readonly pixelCacheBytes: number | null;
  /** Images of one ApplyClassifier call. @default 65,536 */
  readonly applyImages: number;
  /** Calls at a time on one connection. @default 16 */
  readonly streamsPerConnection: number;
  /** Connections at a time from one address. @default 32 */
  readonly connectionsPerPeer: number;
  /** Bytes of memory of all classifiers on the CPU together; null means three quarters of the machine's. @default null */
  readonly memoryBytes: number | null;
  /** Open classifiers. @default 64 */
  readonly classifiers: number;
  /** Seconds after which an unused handle is cleared. @default 86,400 (a day) */
  readonly handleIdleSeconds: number;
  /** Seconds in which a client must send the next bytes of an upload, or take the next of a download. @default 120 */
  readonly transferIdleSeconds: number;
}

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** Bytes of pixels or file that one message of an upload may carry. Part of the contract, so not an option. */
export const CHUNK_BYTES = 1024 * 1024;

/** Batches of one TrainBatches call that are in memory at a time: one trains, the others have arrived or are arriving. */
export const STREAM_BATCHES = 4;

/** Images that one call may put, ask for, delete or refer to. Part of the contract, so not an option. */
export const REFERENCES_PER_CALL = 16_384;
