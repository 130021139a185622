import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface ProgramEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program hangs when it has not ended by then; the machine may be busy with other tests. */
const HANG_MILLISECONDS = 120_000;

/** Runs a TypeScript file of test/support as a process of its own to its end. One that hangs is killed: its signal is SIGKILL. */
export async function runProgram(file: string, args: readonly string[] = [], nodeFlags: readonly string[] = []): Promise<ProgramEnd> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, [...nodeFlags, '--import', 'tsx', path, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const hang = setTimeout(() => child.kill('SIGKILL'), HANG_MILLISECONDS);
  const [exitCode, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, name) => resolve([code, name]));
  });
  clearTimeout(hang);
  return { exitCode, signal, stdout, stderr };
}
