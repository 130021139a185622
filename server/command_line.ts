import { Command, type CommanderError, Option } from 'commander';
import type { Config, LogLevel, TlsFiles } from './config.js';
import { CONFIG_OPTIONS, type ConfigOption } from './config_options.js';
import { StartError } from './start_error.js';

const ENVIRONMENT_PREFIX = 'DL_CLASSIFIERD_';

/** Ends the start of the daemon; what there is to say was printed already. */
export class CommandLineExit extends Error {
  constructor(
    /** 0 after `--help` and `--version`, else 2. */
    readonly exitCode: 0 | 2,
  ) {
    super('the command line asks for no daemon');
  }
}

/**
 * Reads flags, then variables, then defaults. A wrong one is told in one line on stderr.
 *
 * @param args without the program's name
 * @throws CommandLineExit; StartError where options do not go together
 */
export function readCommandLine(args: readonly string[], version: string): Config {
  const command = new Command('dl-classifierd')
    .description('Trains and applies image classifiers over gRPC.')
    .version(version)
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
    .exitOverride();
  for (const option of CONFIG_OPTIONS) command.addOption(commanderOption(option));
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    throw new CommandLineExit((error as CommanderError).exitCode === 0 ? 0 : 2);
  }
  return toConfig(command.opts<ParsedOptions>());
}

/** The environment variable of an option: `--max-streams <count>` is DL_CLASSIFIERD_MAX_STREAMS. */
export function environmentVariable(option: ConfigOption): string {
  const longName = option.flags.split(' ')[0] ?? option.flags;
  return ENVIRONMENT_PREFIX + longName.slice('--'.length).replaceAll('-', '_').toUpperCase();
}

interface ParsedOptions {
  readonly listen: string;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly models: string;
  readonly images?: string;
  readonly threads?: number;
  readonly logLevel: LogLevel;
  readonly reflection: 'on' | 'off';
  readonly maxMessageBytes: number;
  readonly maxUploadBytes: number;
  readonly maxUploadBytesTotal: number;
  readonly maxSerializedBytes: number;
  readonly maxStoredBytes?: number;
  readonly maxStoredImageBytes: number;
  readonly maxPixelCacheBytes?: number;
  readonly maxApplyImages: number;
  readonly maxStreams: number;
  readonly maxConnectionsPerPeer: number;
  readonly maxMemoryBytes?: number;
  readonly maxClassifiers: number;
  readonly handleIdleSeconds: number;
  readonly transferIdleSeconds: number;
}

function commanderOption(option: ConfigOption): Option {
  const result = new Option(option.flags, option.description).env(environmentVariable(option));
  if (option.default !== undefined) result.default(option.default);
  if (option.preset !== undefined) result.preset(option.preset);
  if (option.choices !== undefined) result.choices(option.choices);
  if (option.parse !== undefined) result.argParser(option.parse);
  return result;
}

function toConfig(options: ParsedOptions): Config {
  return {
    listen: options.listen,
    tls: tlsFiles(options),
    models: options.models,
    images: options.images ?? null,
    threads: options.threads ?? null,
    logLevel: options.logLevel,
    reflection: options.reflection === 'on',
    limits: {
      messageBytes: options.maxMessageBytes,
      uploadBytes: options.maxUploadBytes,
      uploadBytesTotal: options.maxUploadBytesTotal,
      serializedBytes: options.maxSerializedBytes,
      storedBytes: options.maxStoredBytes ?? null,
      storedImageBytes: options.maxStoredImageBytes,
      pixelCacheBytes: options.maxPixelCacheBytes ?? null,
      applyImages: options.maxApplyImages,
      streamsPerConnection: options.maxStreams,
      connectionsPerPeer: options.maxConnectionsPerPeer,
      memoryBytes: options.maxMemoryBytes ?? null,
      classifiers: options.maxClassifiers,
      handleIdleSeconds: options.handleIdleSeconds,
      transferIdleSeconds: options.transferIdleSeconds,
    },
  };
}

function tlsFiles({ tlsCertificate: certificate, tlsKey: key, tlsClientCa: clientCa }: ParsedOptions): TlsFiles | null {
  if (certificate !== undefined && key !== undefined) return { certificate, key, clientCa: clientCa ?? null };
  if (certificate !== undefined) throw new StartError('--tls-certificate needs --tls-key');
  if (key !== undefined) throw new StartError('--tls-key needs --tls-certificate');
  if (clientCa !== undefined) throw new StartError('--tls-client-ca needs --tls-certificate and --tls-key');
  return null;
}
