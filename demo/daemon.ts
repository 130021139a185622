import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A daemon of our own, as a child process. */
export interface OwnDaemon extends AsyncDisposable {
  /** HOST:PORT. */
  readonly address: string;
}

/** Starts dl-classifierd on a free port of this machine and waits until it is ready; disposing of it ends it. */
export async function startOwnDaemon(models: string): Promise<OwnDaemon> {
  const program = fileURLToPath(new URL(`../server/main${extname(import.meta.url)}`, import.meta.url));
  const args = [...process.execArgv, program, '--listen', '127.0.0.1:0', '--models', models, '--log-level', 'warn'];
  // A group of its own: Ctrl-C reaches us alone, and we end it when our calls have ended.
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const killOnExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killOnExit);
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    process.off('exit', killOnExit);
  };
  return { address: await readyAddress(child), [Symbol.asyncDispose]: stop };
}

async function readyAddress(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the daemon has no standard output');
  for await (const line of createInterface(child.stdout)) {
    const address = /^dl-classifierd listening on (\S+)$/.exec(line)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error('the daemon ended before it was ready; what it said stands above');
}
