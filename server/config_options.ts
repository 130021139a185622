import { availableParallelism } from 'node:os';
import { InvalidArgumentError } from 'commander';
import { CHUNK_BYTES, LOG_LEVELS } from './config.js';

/** One option of the daemon: the command line, the environment and the documentation are made of these. */
export interface ConfigOption {
  /** As commander has it; the variable is `DL_CLASSIFIERD_` and the long name in capitals. */
  readonly flags: string;
  /** A sentence. */
  readonly description: string;
  readonly default?: string | number;
  readonly choices?: readonly string[];
  /** The value of the flag alone. */
  readonly preset?: string;
  /** Checks and converts; throws InvalidArgumentError with what is wanted. */
  readonly parse?: (text: string) => string | number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** What a message holds beside a whole chunk: the header with the labels of a small batch. */
const MESSAGE_OVERHEAD = 64 * KIB;

function integer(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`It must be an integer from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}

/** Accepts `HOST:PORT`, `[IPv6]:PORT` and `unix:PATH`. */
function listenAddress(text: string): string {
  if (text.startsWith('unix:')) {
    // 107 bytes and a zero is what a Unix socket's name may hold on Linux.
    const length = Buffer.byteLength(text.slice('unix:'.length));
    if (length >= 1 && length <= 107) return text;
    throw new InvalidArgumentError('The path of a Unix socket must have 1 to 107 bytes.');
  }
  const match = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text);
  if (!match || Number(match[1]) > 65535) throw new InvalidArgumentError('It must be HOST:PORT, [IPv6]:PORT or unix:PATH.');
  return text;
}

function file(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must name a file.');
  return text;
}

function folder(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must name a folder.');
  return text;
}

export const CONFIG_OPTIONS: readonly ConfigOption[] = [
  {
    flags: '--listen <address>',
    description: 'where to listen: HOST:PORT (port 0 takes any free one) or unix:PATH',
    default: '127.0.0.1:50051',
    parse: listenAddress,
  },
  {
    flags: '--tls-certificate <file>',
    description: "the server's certificate and those above it, PEM; secures all connections; by default none is; SIGHUP reads it anew",
    parse: file,
  },
  {
    flags: '--tls-key <file>',
    description: 'private key of the certificate, PEM without a passphrase',
    parse: file,
  },
  {
    flags: '--tls-client-ca <file>',
    description: 'lets in only clients with a certificate of these authorities, PEM; by default all',
    parse: file,
  },
  {
    flags: '--models <folder>',
    description: 'folder of the stored classifiers; made if it is missing',
    default: './models',
    parse: folder,
  },
  {
    flags: '--images <folder>',
    description: "folder of the stored images, this daemon's alone; made if it is missing; by default `images` in that of the classifiers",
    parse: folder,
  },
  {
    flags: '--threads <count>',
    description: 'threads that compute; by default all that the process may use',
    parse: integer(1, Math.max(1024, availableParallelism())),
  },
  { flags: '--log-level <level>', description: 'least important kind of event that is logged', default: 'info', choices: LOG_LEVELS },
  { flags: '--reflection [on|off]', description: 'serve gRPC server reflection', default: 'off', preset: 'on', choices: ['on', 'off'] },
  {
    flags: '--max-message-bytes <bytes>',
    description: 'bytes of one message',
    default: 2 * MIB,
    parse: integer(CHUNK_BYTES + MESSAGE_OVERHEAD, 64 * MIB),
  },
  {
    flags: '--max-upload-bytes <bytes>',
    description: 'bytes of images of one call, as sent and after decoding',
    default: GIB,
    parse: integer(1, 64 * GIB),
  },
  {
    flags: '--max-upload-bytes-total <bytes>',
    description: 'bytes of all uploads that are under way, as declared',
    default: 4 * GIB,
    parse: integer(1, 1024 * GIB),
  },
  {
    flags: '--max-serialized-bytes <bytes>',
    description: 'bytes of one DeserializeClassifier or ImportWeights call',
    default: 2 * GIB,
    parse: integer(1, 64 * GIB),
  },
  {
    flags: '--max-stored-bytes <bytes>',
    description: 'bytes of all stored images; 0 stores none; by default half of the disk that is free or taken by them at the start',
    parse: integer(0, 1024 * 1024 * GIB),
  },
  {
    flags: '--max-stored-image-bytes <bytes>',
    description: 'bytes of one stored image',
    default: 64 * MIB,
    parse: integer(1, GIB),
  },
  {
    flags: '--max-pixel-cache-bytes <bytes>',
    description: "bytes of stored images' pixels that are held in memory; by default an eighth of the machine's",
    parse: integer(0, 1024 * GIB),
  },
  {
    flags: '--max-apply-images <count>',
    description: 'images of one ApplyClassifier call',
    default: 65_536,
    parse: integer(1, 16_777_216),
  },
  { flags: '--max-streams <count>', description: 'calls at a time on one connection', default: 16, parse: integer(1, 1024) },
  {
    flags: '--max-connections-per-peer <count>',
    description: 'connections at a time from one address',
    default: 32,
    parse: integer(1, 65_536),
  },
  {
    flags: '--max-memory-bytes <bytes>',
    description: "bytes of memory of all classifiers on the CPU together; by default three quarters of the machine's",
    parse: integer(1, 1024 * GIB),
  },
  { flags: '--max-classifiers <count>', description: 'open classifiers', default: 64, parse: integer(1, 65_536) },
  {
    flags: '--handle-idle-seconds <seconds>',
    description: 'seconds after which an unused handle is cleared',
    default: 86_400,
    parse: integer(1, 31_536_000),
  },
  {
    flags: '--transfer-idle-seconds <seconds>',
    description: 'seconds in which a client must send the next bytes of an upload, or take the next of a download',
    default: 120,
    parse: integer(1, 86_400),
  },
];
