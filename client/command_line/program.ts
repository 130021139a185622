import { Command, CommanderError } from 'commander';
import { VERSION } from '../../package/root.js';
import { describeCommand } from './describe.js';
import { exportCommand } from './export.js';
import { importCommand } from './import.js';
import { infoCommand } from './info.js';
import { listCommand } from './list.js';
import { type CommonOptions, type Output, Session } from './session.js';
import { addTlsOptions } from './tls.js';

/** Bad arguments; 1 is a command that failed. */
const USAGE_ERROR = 2;

const DEFAULT_SERVER = '127.0.0.1:50051';

/** @returns the exit code: 0, 1 where the command failed, 2 where its arguments are wrong */
export async function runCommandLine(args: readonly string[], output: Output): Promise<number> {
  const session = new Session(output);
  const program = new Command('dlc')
    .description('Brings weights to a dl-classifierd and takes them out, and tells what is there.')
    .version(VERSION)
    .option(
      '--server <address>',
      'HOST:PORT or unix:PATH of the daemon; also the variable DLC_SERVER',
      process.env.DLC_SERVER || DEFAULT_SERVER,
    )
    .option('--json', 'print one JSON object: the result on standard output, a failure of the command on standard error', false)
    .configureHelp({ showGlobalOptions: true })
    .helpCommand(false)
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: (text) => output.out(text), writeErr: (text) => output.err(text) })
    .exitOverride();
  addTlsOptions(program);
  for (const define of [importCommand, exportCommand, listCommand, describeCommand, infoCommand]) define(program, session);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_ERROR;
    session.reportFailure(error, program.opts<CommonOptions>().json);
    return 1;
  }
}
