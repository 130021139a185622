import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { StepCase } from './case.js';

/** How the peer computes: what of it is quicker depends on case and machine. */
export interface Variant {
  readonly channels_last: boolean;
  readonly optimizer: 'foreach' | 'fused';
}

export interface WorkerRequest {
  readonly prepare?: StepCase;
  readonly variant?: Variant;
  readonly steps?: number;
  readonly memory?: true;
}

/** Seconds of the steps of one turn. */
export interface Turn {
  readonly seconds: readonly number[];
  /** Over all steps of the turn. */
  readonly phases: { readonly forward: number; readonly backward: number; readonly update: number };
}

/**
 * A process that trains when it is told to and sleeps in between: one JSON request a line in, one JSON answer a line out.
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

  async prepare(stepCase: StepCase, variant?: Variant): Promise<void> {
    await this.ask({ prepare: stepCase, ...(variant === undefined ? {} : { variant }) });
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
