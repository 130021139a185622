import type { Command } from 'commander';
import { DlClassifierClient } from '../client.js';
import { DlClassifierError } from '../errors/error.js';
import { CommandFailure } from './failure.js';
import { type TlsFlags, tlsOf } from './tls.js';

/** Options that every command has. */
export interface CommonOptions extends TlsFlags {
  readonly server: string;
  readonly json: boolean;
}

/** What a command prints: a text for people, or with --json the value itself. */
export interface Answer {
  readonly text: string;
  readonly value: unknown;
}

/** Where a program writes: of a process, stdout and stderr. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
}

/** What all commands share. */
export class Session {
  constructor(readonly output: Output) {}

  /** Runs a command with a connection to the daemon and prints its answer. */
  async run<Options>(
    command: Command,
    work: (client: DlClassifierClient, options: Options & CommonOptions) => Promise<Answer>,
  ): Promise<void> {
    const options = command.optsWithGlobals<Options & CommonOptions>();
    await using client = await connect(options);
    const { text, value } = await work(client, options);
    this.output.out(`${options.json ? JSON.stringify(value, null, 2) : text}\n`);
  }

  /** Tells why a command failed. @throws the error where it is a defect, for its stack */
  reportFailure(error: unknown, json: boolean): void {
    if (!(error instanceof DlClassifierError || error instanceof CommandFailure)) throw error;
    this.output.err(json ? `${JSON.stringify({ error: errorValue(error) }, null, 2)}\n` : `dlc: ${error.message}\n${details(error)}`);
  }
}

/** @throws CommandFailure where the address or a TLS file is none; DlClassifierError */
async function connect(options: CommonOptions): Promise<DlClassifierClient> {
  const tls = await tlsOf(options);
  try {
    return await DlClassifierClient.connect(options.server, { tls });
  } catch (error) {
    if (error instanceof DlClassifierError || !(error instanceof Error)) throw error;
    const what = tls === false ? '' : ', with the TLS files that were given';
    throw new CommandFailure(`no connection to '${options.server}'${what}: ${error.message}`);
  }
}

function errorValue(error: DlClassifierError<string> | CommandFailure): unknown {
  if (error instanceof CommandFailure) return { message: error.message };
  const { reason, number, message, retryable, metadata } = error;
  return { reason, number, message, retryable, metadata };
}

/** The tensors that do not fit: all names, where the message has room for the first. */
function details(error: Error): string {
  if (!(error instanceof DlClassifierError)) return '';
  const { metadata } = error as DlClassifierError<'missing' | 'extra' | 'misshapen'>;
  return (['missing', 'misshapen', 'extra'] as const)
    .filter((list) => metadata[list] !== undefined)
    .map((list) => `${list}:\n${(metadata[list] ?? '').replaceAll(/^/gm, '  ')}\n`)
    .join('');
}
