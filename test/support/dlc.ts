import { runCommandLine } from '../../client/command_line/program.js';

/** What a run of dlc came to. */
export interface DlcEnd {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs dlc with these arguments to its end, in this process. */
export async function dlc(address: string, ...args: readonly string[]): Promise<DlcEnd> {
  let [stdout, stderr] = ['', ''];
  const output = {
    out: (text: string) => {
      stdout += text;
    },
    err: (text: string) => {
      stderr += text;
    },
  };
  const exitCode = await runCommandLine(['--server', address, ...args], output);
  return { exitCode, stdout, stderr };
}
