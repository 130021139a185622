import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export interface WorkerRequest {
  /** What to measure, in the words of the benchmark. */
  readonly prepare?: unknown;
  readonly steps?: number;
  readonly memory?: true;
}

/** Seconds of the steps of one turn. */
export interface Turn {
  readonly seconds: readonly number[];
  /** Over all steps of the turn, where the workers tell them. */
  readonly phases?: { readonly forward: number; readonly backward: number; readonly update: number };
}

/**
 * A process that works when it is told to and sleeps in between: one JSON request a line in, one JSON answer a line out.
 * Both sides of a comparison are one, alive at the same time, so that their turns can alternate.
 */
export class Worker implements AsyncDisposable {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly answers: AsyncIterator<string>;

  constructor(
    command: readonly [file: string, ...args: string[]],
    environment: NodeJS.ProcessEnv,
    private readonly name: string,
  ) {
    const [file, ...args] = command;
    this.child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...environment } });
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** The answer is the benchmark's own. */
  async prepare(wanted: unknown): Promise<unknown> {
    return this.ask({ prepare: wanted });
  }

  async steps(count: number): Promise<Turn> {
    return (await this.ask({ steps: count })) as Turn;
  }

  /** The most memory that the process has ever held. */
  async peakBytes(): Promise<number> {
    return ((await this.ask({ memory: true })) as { peak_bytes: number }).peak_bytes;
  }

  private async ask(request: WorkerRequest): Promise<unknown> {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.answers.next();
    if (done === true) throw new Error(`${this.name} ended without an answer`);
    return JSON.parse(value);
  }

  /** Ends the process by ending its input. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.child.exitCode === null && this.child.signalCode === null ? once(this.child, 'close') : null;
    this.child.stdin.end();
    await closed;
  }
}

/** Answers the requests on standard input, in their order, until it ends. */
export async function serve(answer: (request: WorkerRequest) => Promise<unknown>): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as WorkerRequest))}\n`);
  }
}

/** The most memory that this process has ever held. */
export function peakBytes(): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  if (kibibytes === undefined) throw new Error('/proc/self/status has no VmHWM');
  return Number(kibibytes) * 1024;
}
