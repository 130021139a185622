/**
 * Passes bytes on in both directions, each a fixed time after it came, and counts them. TCP's own window is that of the loopback: what is
 * delayed is what the two programs tell each other, as over a long line whose TCP has opened its window.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { serve } from '../worker.js';

export interface ProxyRequest {
  /** `HOST:PORT` of the server. */
  readonly target: string;
  /** Milliseconds in each direction. */
  readonly delay: number;
}

/** Bytes that wait in one direction before the sender is kept waiting; more than any window that is offered here. */
const MAXIMUM_WAITING = 256 * 1024 * 1024;

let passed = { up: 0, down: 0 };

function passOn(from: Socket, to: Socket, delay: number, count: (bytes: number) => void): void {
  /** null is the end. */
  const waiting: { readonly due: number; readonly bytes: Buffer | null }[] = [];
  let waitingBytes = 0;
  let timer: NodeJS.Timeout | null = null;
  const flush = () => {
    timer = null;
    const now = performance.now();
    to.cork();
    for (let head = waiting[0]; head !== undefined && head.due <= now; head = waiting[0]) {
      waiting.shift();
      if (head.bytes === null) to.end();
      else to.write(head.bytes);
      waitingBytes -= head.bytes?.length ?? 0;
    }
    to.uncork();
    if (waitingBytes < MAXIMUM_WAITING) from.resume();
    arm();
  };
  const arm = () => {
    const head = waiting[0];
    if (head !== undefined && timer === null) timer = setTimeout(flush, Math.max(0, head.due - performance.now()));
  };
  from.on('data', (bytes: Buffer) => {
    count(bytes.length);
    if (delay === 0) {
      if (!to.write(bytes)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
      return;
    }
    waiting.push({ due: performance.now() + delay, bytes });
    waitingBytes += bytes.length;
    if (waitingBytes >= MAXIMUM_WAITING) from.pause();
    arm();
  });
  from.on('end', () => {
    if (delay === 0) to.end();
    else waiting.push({ due: performance.now() + delay, bytes: null });
    arm();
  });
  from.on('error', () => to.destroy());
}

await serve(async ({ prepare, steps }) => {
  if (steps !== undefined) {
    const since = passed;
    passed = { up: 0, down: 0 };
    return since;
  }
  const { target, delay } = prepare as ProxyRequest;
  const colon = target.lastIndexOf(':');
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({
      host: target.slice(0, colon),
      port: Number(target.slice(colon + 1)),
      allowHalfOpen: true,
      noDelay: true,
    });
    passOn(client, upstream, delay, (bytes) => {
      passed.up += bytes;
    });
    passOn(upstream, client, delay, (bytes) => {
      passed.down += bytes;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
});
process.exit(0);
