import { describeMachine, type Machine } from '../machine.js';
import { DaemonProcess, type LoopDelay } from '../wire/daemon_process.js';
import { peakBytes, residentBytes } from '../wire/measured_process.js';
import type { ClientRecord } from './client.js';
import { runLoad } from './run.js';

/** At some moment of the load, garbage left aside. */
export interface LiveMemory {
  /** Of all clients so far. */
  readonly steps: number;
  /** MiB of JavaScript's heap and its buffers. */
  readonly size: number;
  /** Number of JavaScript's objects. */
  readonly objects: number;
}

export interface LoadResult {
  readonly machine: Machine;
  readonly command: string;
  readonly clients: number;
  readonly seconds: number;
  /** Seconds at the start that do not count for the slope of memory. */
  readonly settlingSeconds: number;
  /** Steps of each client, in the order of their numbers: those with pixels and those with references in turn. */
  readonly steps: readonly number[];
  /** Images that were classified. */
  readonly applied: number;
  readonly refusals: Readonly<Record<string, number>>;
  readonly errors: readonly string[];
  readonly memory: {
    /** MiB of the daemon, every ten seconds. */
    readonly resident: readonly number[];
    readonly peak: number;
    /** MiB a minute: the slope of the line through all seconds after the first ones, which are not counted. */
    readonly slope: number;
    /** What no collection of garbage frees, halfway through the first seconds and at the end; results from before 2026-11-26 have none. */
    readonly live?: { readonly early: LiveMemory; readonly end: LiveMemory };
  };
  /** The daemon's event loop until halfway through the first seconds, while classifiers are made; not in results from before 2026-11-26. */
  readonly startDelay?: LoopDelay;
  /** From then on, with all processors busy. */
  readonly loopDelay: LoopDelay;
}

export interface LoadRequest {
  readonly clients: number;
  readonly network: string;
  readonly seconds: number;
  /** Of the start, when memory grows to what the load needs. */
  readonly settlingSeconds: number;
}

const MIB = 2 ** 20;

/** @param log told how it goes every ten seconds */
export async function measureLoad(
  { clients, network, seconds, settlingSeconds }: LoadRequest,
  log: (text: string) => void,
): Promise<LoadResult> {
  const flags = ['--max-connections-per-peer', String(clients + 1), '--max-classifiers', String(clients)];
  await using daemon = await DaemonProcess.start(['--listen', '127.0.0.1:0', ...flags]);
  await daemon.loopDelay();
  const resident: number[] = [];
  const live: LiveMemory[] = [];
  const delays: LoopDelay[] = [];
  // A collection that is asked for takes memory off the process, which grows to what it was until the slope counts.
  const measured = [Math.floor(settlingSeconds / 2), seconds];
  const onSecond = async (second: number, steps: number) => {
    resident.push(residentBytes(daemon.pid) / MIB);
    if (second % 10 === 0) log(`${second} s: the daemon holds ${resident.at(-1)?.toFixed(0)} MiB`);
    if (!measured.includes(second)) return;
    delays.push(await daemon.loopDelay());
    const { heap, external, objects } = await daemon.memoryUse();
    live.push({ steps, size: (heap + external) / MIB, objects });
    // The one that the collection makes.
    await daemon.loopDelay();
  };
  const records = await runLoad(daemon.address, { clients, network, seconds, onSecond });
  const [early, end] = live as [LiveMemory, LiveMemory];
  const [startDelay, loopDelay] = delays as [LoopDelay, LoopDelay];
  return {
    machine: describeMachine('no peer'),
    command: `npm run bench -- load --clients ${clients} --network ${network} --seconds ${seconds} --settling ${settlingSeconds}`,
    clients,
    seconds,
    settlingSeconds,
    steps: records.map(({ steps }) => steps),
    applied: records.reduce((sum, { applied }) => sum + applied, 0),
    refusals: refusalsOf(records),
    errors: records.flatMap(({ errors }) => errors),
    memory: {
      resident: resident.filter((_, index) => index % 10 === 9).map(Math.round),
      peak: Math.round(peakBytes(daemon.pid) / MIB),
      slope: slopePerMinute(resident.slice(settlingSeconds)),
      live: { early, end },
    },
    startDelay,
    loopDelay,
  };
}

function refusalsOf(records: readonly ClientRecord[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const { refusals } of records) {
    for (const [reason, count] of Object.entries(refusals)) sum[reason] = (sum[reason] ?? 0) + count;
  }
  return sum;
}

/** Of the line through values a second apart, by least squares. */
export function slopePerMinute(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const middle = (values.length - 1) / 2;
  const products = values.reduce((sum, value, second) => sum + (second - middle) * (value - mean), 0);
  const squares = values.reduce((sum, _, second) => sum + (second - middle) ** 2, 0);
  return (60 * products) / squares;
}
