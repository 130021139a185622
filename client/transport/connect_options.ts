import { type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js';

/** How the connection is secured. */
export interface TlsOptions {
  /** Certificates (PEM) of the authorities to trust; left out: those of Node.js. */
  readonly rootCertificates?: Buffer | undefined;
  /** This client's own certificate chain (PEM), where the other side asks for one; with `privateKey`. */
  readonly certificateChain?: Buffer | undefined;
  /** The key (PEM) of `certificateChain`. */
  readonly privateKey?: Buffer | undefined;
  /** The name in the server's certificate, where it is not that of the address. */
  readonly serverName?: string | undefined;
}

export interface ConnectOptions {
  /**
   * Secures the connection; `true` means with the authorities that Node.js trusts.
   *
   * @default false
   */
  readonly tls?: boolean | TlsOptions | undefined;
  /**
   * Milliseconds to wait for the server when connecting.
   *
   * @default 10000
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds that a call may take if it says nothing else.
   *
   * @default 60000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * The same for calls that carry images or whole classifiers: trainBatch, apply, readClassifier, write, serialize, deserialize, importWeights, exportOnnx and
   * exportSafetensors, storing images, and each answer that trainBatches waits for.
   *
   * @default 600000
   */
  readonly transferTimeoutMs?: number | undefined;
  /**
   * Called with what the user should know and is no error: images that are sent again and again, because the server cannot store them.
   * Once for each cause.
   *
   * @default process.emitWarning, with the name DlClassifierWarning
   */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Ends the waiting for the server. */
  readonly signal?: AbortSignal | undefined;
}

/** Bytes that the server may send on one call before it hears from us: HTTP/2's default of 65,535 makes a stream crawl over a real network. */
const RECEIVE_WINDOW_BYTES = 4 * 1024 * 1024;

/** A connection that is dead without a sign (a cable, a firewall) is noticed after the two together. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;

/** A server that restarts is found again within seconds. */
const MAXIMUM_RECONNECT_BACKOFF_MS = 5_000;

export function channelOptions(options: ConnectOptions): ChannelOptions {
  const serverName = typeof options.tls === 'object' ? options.tls.serverName : undefined;
  return {
    'grpc-node.flow_control_window': RECEIVE_WINDOW_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.max_reconnect_backoff_ms': MAXIMUM_RECONNECT_BACKOFF_MS,
    // Each client has its own connection, so that closing one ends nothing of another's.
    'grpc.use_local_subchannel_pool': 1,
    ...(serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }),
  };
}

export function channelCredentials({ tls }: ConnectOptions): ChannelCredentials {
  if (tls === undefined || tls === false) return credentials.createInsecure();
  if (tls === true) return credentials.createSsl();
  return credentials.createSsl(tls.rootCertificates, tls.privateKey, tls.certificateChain);
}
