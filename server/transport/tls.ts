import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Http2SecureServer } from 'node:http2';
import { createSecureContext } from 'node:tls';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import type { TlsFiles } from '../config.js';
import type { Logger } from '../log.js';
import { StartError } from '../start_error.js';
import { onHttp2Server } from './http2_servers.js';

/** What the files hold: PEM, known to fit together. */
export interface TlsIdentity {
  /** The server's certificate, and those that lead from it to one that clients trust. */
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** Of the authorities that a client's certificate must come from; null where clients need none. */
  readonly clientCa: Buffer | null;
  /** When the server's certificate expires. */
  readonly validTo: Date;
}

/** @throws StartError that names the file and what is wrong with it */
export async function readTls(files: TlsFiles): Promise<TlsIdentity> {
  const certificate = await readPem('--tls-certificate', files.certificate);
  const key = await readPem('--tls-key', files.key);
  const clientCa = files.clientCa === null ? null : await readPem('--tls-client-ca', files.clientCa);
  const own = parse('--tls-certificate', files.certificate, 'no certificate in PEM', () => new X509Certificate(certificate));
  const privateKey = parse('--tls-key', files.key, 'no private key in PEM without a passphrase', () => createPrivateKey(key));
  if (!own.checkPrivateKey(privateKey))
    throw new StartError(`--tls-key ${files.key} is not the key of --tls-certificate ${files.certificate}`);
  if (clientCa !== null) parse('--tls-client-ca', files.clientCa, 'no certificate in PEM', () => new X509Certificate(clientCa));
  // What is left to be wrong: a damaged certificate behind the first one, a key that is too weak for this OpenSSL.
  parse('--tls-certificate', files.certificate, 'of no use', () =>
    createSecureContext({ cert: certificate, key, ca: clientCa ?? undefined }),
  );
  return { certificate, key, clientCa, validTo: new Date(own.validTo) };
}

/** Of a server that has this identity; null without TLS. */
export function serverCredentials(identity: TlsIdentity | null): ServerCredentials {
  if (identity === null) return ServerCredentials.createInsecure();
  const { certificate, key, clientCa } = identity;
  return ServerCredentials.createSsl(clientCa, [{ cert_chain: certificate, private_key: key }], clientCa !== null);
}

/**
 * Lets a certificate be renewed while the server runs: new connections get the new one, those that are open stay. Call it before bindAsync.
 *
 * @returns reads the files anew; where they cannot be used the server keeps what it has, and the log says why
 */
export function renewableTls(server: Server, files: TlsFiles, log: Logger): () => Promise<void> {
  const secureServers: Http2SecureServer[] = [];
  onHttp2Server(server, (http2Server) => {
    const secureServer = http2Server as unknown as Http2SecureServer;
    secureServers.push(secureServer);
    secureServer.on('tlsClientError', (error, { remoteAddress: peer }) =>
      log.info({ peer, problem: error.message }, 'no TLS with a client'),
    );
  });
  return async () => {
    try {
      const { certificate, key, clientCa, validTo } = await readTls(files);
      for (const one of secureServers) one.setSecureContext({ cert: certificate, key, ca: clientCa ?? undefined });
      log.info({ validTo }, 'the certificate was read anew');
    } catch (error) {
      log.error({ problem: error instanceof Error ? error.message : error }, 'the certificate stays as it was');
    }
  };
}

async function readPem(flag: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new StartError(`${flag} ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function parse<Result>(flag: string, file: string | null, problem: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    throw new StartError(`${flag} ${file} is ${problem}: ${(error as Error).message}`, { cause: error });
  }
}
