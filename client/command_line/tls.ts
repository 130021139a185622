import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { TlsOptions } from '../transport/connect_options.js';
import { CommandFailure } from './failure.js';

/** The options of every command that secure its connection. */
export interface TlsFlags {
  readonly tls: boolean;
  readonly tlsCa?: string;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
}

export function addTlsOptions(program: Command): Command {
  return program
    .option('--tls', 'secure the connection; trusts the authorities that Node.js trusts', false)
    .addOption(new Option('--tls-ca <file>', 'trust these authorities instead, PEM; implies --tls').env('DLC_TLS_CA'))
    .addOption(
      new Option('--tls-certificate <file>', 'certificate of this client, PEM, with --tls-key; implies --tls').env('DLC_TLS_CERTIFICATE'),
    )
    .addOption(new Option('--tls-key <file>', 'private key of that certificate, PEM').env('DLC_TLS_KEY'))
    .addOption(new Option('--tls-server-name <name>', "name in the daemon's certificate where it is not that of --server; implies --tls"));
}

/** @throws CommandFailure where the options do not go together or a file cannot be read */
export async function tlsOf({ tls, tlsCa, tlsCertificate, tlsKey, tlsServerName }: TlsFlags): Promise<boolean | TlsOptions> {
  if ((tlsCertificate === undefined) !== (tlsKey === undefined)) throw new CommandFailure('--tls-certificate and --tls-key go together');
  if (tlsCa === undefined && tlsCertificate === undefined && tlsServerName === undefined) return tls;
  return {
    rootCertificates: await readPem('--tls-ca', tlsCa),
    certificateChain: await readPem('--tls-certificate', tlsCertificate),
    privateKey: await readPem('--tls-key', tlsKey),
    serverName: tlsServerName,
  };
}

async function readPem(flag: string, file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    throw new CommandFailure(`${flag} ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
