import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const READY_LINE = /^dl-classifierd listening on (\S+)$/m;
/** Loading TypeScript and the engine takes seconds on a machine that runs other tests beside. */
const START_SECONDS = 120;

/** A daemon of its own for one test, as a child process on a free port. */
export interface Daemon {
  /** `127.0.0.1:PORT` or `unix:PATH`, as a gRPC client takes it. */
  readonly address: string;
  readonly process: ChildProcess;
  /** Its model folder, empty at the start and removed by {@link stop}. */
  readonly models: string;
  /** All that it wrote to stdout so far. */
  stdout(): string;
  /** All that it wrote to stderr so far: one JSON object a line. */
  stderr(): string;
  /** Resolves with the first line of its log, past or to come, for which `wanted` holds; `since` skips so many characters of {@link stderr}. */
  logged(wanted: (line: LogLine) => boolean, since?: number): Promise<LogLine>;
  /** Ends it by SIGTERM; throws where it does not exit with 0. Repeated calls are allowed. */
  stop(): Promise<void>;
}

/** One line of the log: `msg` says what happened, `method` in which call. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly method?: string;
  readonly reason?: string;
  readonly problem?: string;
}

export interface DaemonExit {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

// A test that throws before it stops its daemon must not leave it behind.
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Starts the daemon on a free port, with a model folder of its own unless `flags` name another, and waits until it is ready.
 *
 * @param sources where `server/` is
 */
export async function startDaemon(
  flags: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
  sources = REPOSITORY,
): Promise<Daemon> {
  const models = await mkdtemp(join(tmpdir(), 'dl-classifierd-models-'));
  const child = spawnDaemon(['--listen', '127.0.0.1:0', '--models', models, '--log-level', 'debug', ...flags], environment, sources);
  const output = collectOutput(child);
  const address = await readyAddress(child, output);
  const exited = once(child, 'exit');
  running.add(child);
  child.once('exit', () => running.delete(child));
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await exited;
    await rm(models, { recursive: true, force: true });
    if (child.exitCode !== 0) throw new Error(`the daemon exited with ${child.exitCode ?? child.signalCode}:\n${output.stderr()}`);
  };
  const logged = (wanted: (line: LogLine) => boolean, since = 0) => logLine(child, output, wanted, since);
  return { address, process: child, models, stdout: output.stdout, stderr: output.stderr, logged, stop };
}

/** Runs the daemon to its end: for flags with which it does not start. */
export async function runDaemon(flags: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<DaemonExit> {
  const child = spawnDaemon(flags, environment);
  const output = collectOutput(child);
  await once(child, 'close');
  return { exitCode: child.exitCode, stdout: output.stdout(), stderr: output.stderr() };
}

function spawnDaemon(flags: readonly string[], environment: NodeJS.ProcessEnv, sources = REPOSITORY): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', 'server/main.ts', ...flags], {
    cwd: sources,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

interface Output {
  stdout(): string;
  stderr(): string;
}

function collectOutput(child: ChildProcess): Output {
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
    });
  }
  return { stdout: () => text.stdout, stderr: () => text.stderr };
}

function readyAddress(child: ChildProcess, output: Output): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new Error(`the daemon ${why}:\n${output.stdout()}${output.stderr()}`));
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`was not ready within ${START_SECONDS} s`);
    }, START_SECONDS * 1000);
    child.stdout?.on('data', () => {
      const address = READY_LINE.exec(output.stdout())?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    });
    child.once('exit', (code, signal) => fail(`ended with ${code ?? signal} before it was ready`));
  });
}

function logLine(child: ChildProcess, output: Output, wanted: (line: LogLine) => boolean, since: number): Promise<LogLine> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void) => {
      child.stderr?.off('data', look);
      child.off('close', fail);
      done();
    };
    const fail = () => settle(() => reject(new Error(`the daemon ended without the expected line:\n${output.stderr()}`)));
    const look = () => {
      const lines = output.stderr().slice(since).split('\n').slice(0, -1);
      const found = lines
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as LogLine)
        .find(wanted);
      if (found !== undefined) settle(() => resolve(found));
    };
    child.stderr?.on('data', look);
    child.on('close', fail);
    look();
  });
}
