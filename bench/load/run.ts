import { setTimeout as pause } from 'node:timers/promises';
import { type ClientRecord, runClient } from './client.js';

export interface LoadOptions {
  readonly clients: number;
  readonly network: string;
  readonly seconds: number;
  /** Called about every second, with the steps of all clients so far. */
  readonly onSecond?: (second: number, steps: number) => Promise<void>;
}

/** Lets so many clients train at once, each a classifier of its own, half of them with pixels and half with references. */
export async function runLoad(address: string, { clients, network, seconds, onSecond }: LoadOptions): Promise<readonly ClientRecord[]> {
  const controller = new AbortController();
  const records = Array.from(
    { length: clients },
    (_, number): ClientRecord => ({ kind: number % 2 === 0 ? 'pixels' : 'references', steps: 0, applied: 0, refusals: {}, errors: [] }),
  );
  const running = records.map((record, number) =>
    runClient(address, network, number, record, controller.signal).catch((error: unknown) => {
      record.errors.push(`before or after training: ${error instanceof Error ? error.message : error}`);
    }),
  );
  const start = performance.now();
  for (let second = 1; second <= seconds; second++) {
    await pause(Math.max(0, start + second * 1000 - performance.now()));
    await onSecond?.(
      second,
      records.reduce((sum, { steps }) => sum + steps, 0),
    );
  }
  controller.abort();
  await Promise.all(running);
  return records;
}
