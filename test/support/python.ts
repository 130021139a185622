import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** The Python that scripts/setup makes for the tests. */
export function python(): string {
  const interpreter = `${REPOSITORY}.venv/bin/python`;
  if (!existsSync(interpreter)) throw new Error(`${interpreter} is missing: run scripts/setup --tests`);
  return interpreter;
}

/** Runs a script of test/python with one JSON value on its standard input to its end, and returns the JSON value that it prints. */
export async function runPython(script: string, request: unknown): Promise<unknown> {
  const child = spawn(python(), [`${REPOSITORY}test/python/${script}`], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  child.stdin.end(JSON.stringify(request));
  const [output, problem] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error(`${script} ended with ${child.exitCode ?? child.signalCode}:\n${problem}`);
  return JSON.parse(output);
}
