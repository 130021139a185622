import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scriptUrl } from '../workers.js';

/** Milliseconds for which the event loop did not turn. */
export interface LoopDelay {
  readonly maximum: number;
  readonly p99: number;
}

/** What no collection of garbage frees. */
export interface MemoryUse {
  /** Bytes of JavaScript's heap. */
  readonly heap: number;
  /** Bytes of the buffers of JavaScript outside it; what the engine holds, staging buffers and models, is not known there. */
  readonly external: number;
  /** Number of objects of JavaScript, functions and promises included; strings are none. */
  readonly objects: number;
}

/** What {@link file://./probe.ts} answers: a {@link LoopDelay}, a {@link MemoryUse}. */
export type Question = 'loop delay' | 'memory use';

const READY = /^dl-classifierd listening on (\S+)$/m;

/** The daemon as users start it, with {@link file://./probe.ts} in it and folders of its own. */
export class DaemonProcess implements AsyncDisposable {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly address: string,
  ) {}

  static async start(flags: readonly string[]): Promise<DaemonProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'dl-classifier-bench-'));
    const script = (path: string) => fileURLToPath(scriptUrl(new URL(path, import.meta.url)));
    const args = ['--import', script('probe.ts'), script('../../server/main.ts'), '--models', folder, '--log-level', 'warn', ...flags];
    const child = spawn(process.execPath, [...process.execArgv, ...args], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    process.once('exit', () => child.kill('SIGKILL'));
    const address = await new Promise<string>((resolve, reject) => {
      let output = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const ready = READY.exec(output)?.[1];
        if (ready !== undefined) resolve(ready);
      });
      child.once('exit', (code) => reject(new Error(`the daemon ended with ${code} before it was ready`)));
    });
    return new DaemonProcess(child, folder, address);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Since the last call. */
  loopDelay(): Promise<LoopDelay> {
    return this.#ask<LoopDelay>('loop delay');
  }

  /** Collects all garbage first, for which the event loop stands still. */
  memoryUse(): Promise<MemoryUse> {
    return this.#ask<MemoryUse>('memory use');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exited;
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #ask<Answer>(question: Question): Promise<Answer> {
    this.child.send(question);
    const [answer] = (await once(this.child, 'message')) as [Answer];
    return answer;
  }
}
