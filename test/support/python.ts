import { runPythonScript } from '../../bench/python.js';

export { python } from '../../bench/python.js';

/** Runs a script of test/python with one JSON value on its standard input to its end, and returns the JSON value that it prints. */
export function runPython(script: string, request: unknown): Promise<unknown> {
  return runPythonScript(`test/python/${script}`, request);
}
