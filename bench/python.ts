import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { PACKAGE_ROOT } from '../package/root.js';

/** A Python that has PyTorch: the one that scripts/setup makes, else that of the active virtual environment. */
export function python(): string {
  const own = `${PACKAGE_ROOT}.venv/bin/python`;
  const active = `${process.env.VIRTUAL_ENV ?? ''}/bin/python`;
  const interpreter = [own, active].find((file) => existsSync(file));
  if (interpreter === undefined) throw new Error(`${own} is missing: run scripts/setup --tests`);
  return interpreter;
}

/**
 * Runs a script to its end with one JSON value on its standard input, and returns the JSON value that it prints.
 *
 * @param script path from the repository's root
 */
export async function runPythonScript(script: string, request: unknown): Promise<unknown> {
  const child = spawn(python(), [PACKAGE_ROOT + script], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // PyTorch's threads wait asleep: these scripts are not timed and run beside others.
    env: { OMP_WAIT_POLICY: 'PASSIVE', ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  child.stdin.end(JSON.stringify(request));
  const [output, problem] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error(`${script} ended with ${child.exitCode ?? child.signalCode}:\n${problem}`);
  return JSON.parse(output);
}
