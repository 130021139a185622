import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { median } from '../median.js';
import { python } from '../python.js';
import type { Effort } from '../turns.js';
import type { Worker } from '../worker.js';
import { startPython, startScript } from '../workers.js';
import { BATCH_IMAGES, type ClientRequest, type Route, type ServerRequest, type WireCase } from './case.js';
import { DaemonProcess, type LoopDelay } from './daemon_process.js';
import type { ProxyRequest } from './delaying_proxy.js';
import { cpuSeconds, peakBytes, resetPeak } from './measured_process.js';
import type { OurRequest } from './our_client.js';
import { Stack } from './stack.js';

/** Who sends and receives. */
export const SIDES = ['ours', 'http2', 'tcp', 'grpcio'] as const;
export type SideName = (typeof SIDES)[number];

const PEERS = ['http2', 'tcp', 'grpcio'] as const satisfies readonly SideName[];

/** What one side did; medians over its turns. */
export interface WireMeasurement {
  /** MiB/s. */
  readonly speed: number;
  readonly turns: readonly number[];
  /** Seconds of processor time a GiB. */
  readonly cpu: { readonly client: number; readonly server: number };
  /** The most memory that each process held during its turns, in bytes. */
  readonly peakBytes: { readonly client: number; readonly server: number };
}

export interface WireComparison {
  readonly sides: Partial<Record<SideName, WireMeasurement>> & Record<'ours' | 'http2', WireMeasurement>;
  /** Median over the rounds of ours / http2. */
  readonly ratio: number;
  /** Of the daemon's event loop, in our turns. */
  readonly loopDelay: LoopDelay;
  /** Bytes of the images of a batch. */
  readonly batchBytes: number;
  /** Bytes that passed in both directions, a batch; null where no process stood in between. */
  readonly wireBytes: { readonly up: number; readonly down: number } | null;
  /** Median of what a single step takes from the call to the answer, less what the engine computes; milliseconds. */
  readonly overhead: number;
}

/** Steps of a turn that is not counted. */
const WARM_UP_STEPS = 8;

/** Seconds of steps on each side before they are counted: a training has thousands of them, and Node.js compiles what runs often. */
const WARM_UP_SECONDS = 3;

/** Steps whose overhead is measured. */
const SINGLE_STEPS = 100;

const PAUSE_MILLISECONDS = 100;

const DELAYS: Readonly<Record<Route, number | null>> = { tcp: null, unix: null, '0ms': 0, '10ms': 5 };

/** One side at work. */
interface Side {
  readonly name: SideName;
  readonly client: Worker;
  readonly serverPid: number;
  readonly proxy: Worker | null;
  readonly stepBytes: number;
}

/** What a turn showed. */
interface WireTurn {
  readonly speed: number;
  readonly client: number;
  readonly server: number;
}

interface TlsFiles {
  readonly certificate: string | null;
  readonly key: string | null;
}

/** The versions of those that ours is measured beside. */
export function wirePeers(): string {
  const grpcio = execFileSync(python(), ['-c', 'import grpc; print(grpc.__version__)'], { encoding: 'utf8' }).trim();
  return `node:http2 of Node.js ${process.version}, grpcio ${grpcio}`;
}

/** Measures a case on all sides in turns. Pixels meet raw TCP and Python's gRPC as well. */
export async function compareWire(wireCase: WireCase, effort: Effort): Promise<WireComparison> {
  await using stack = new Stack();
  const folder = mkdtempSync(join(tmpdir(), 'dl-classifier-wire-'));
  stack.use({ [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }) });
  const files = wireCase.tls ? makeCertificate(folder) : { certificate: null, key: null };
  const { daemon, side: ours, request } = await startOurs(stack, wireCase, folder, files);
  const names = wireCase.content === 'pixels' ? PEERS : PEERS.slice(0, 1);
  const sides = [ours];
  for (const name of names) sides.push(await startPeer(stack, name, wireCase, folder, files, ours.stepBytes));

  const steps = new Map<Side, number>();
  for (const side of sides) {
    await warmUp(side.client);
    const { speed } = await turn(side, WARM_UP_STEPS);
    steps.set(side, Math.max(1, Math.round((effort.turnSeconds * speed * 2 ** 20) / side.stepBytes)));
    resetPeak(side.client.pid);
    resetPeak(side.serverPid);
  }
  const turns = new Map<Side, WireTurn[]>(sides.map((side) => [side, []]));
  const delays: LoopDelay[] = [];
  await ours.proxy?.steps(0);
  for (let round = 0; round < effort.rounds; round++) {
    for (const side of sides) {
      if (side === ours) await daemon.loopDelay();
      turns.get(side)?.push(await turn(side, steps.get(side) as number));
      if (side === ours) delays.push(await daemon.loopDelay());
    }
  }
  const sent = effort.rounds * (steps.get(ours) as number);
  const passed = (await ours.proxy?.steps(0)) as unknown as { up: number; down: number } | undefined;
  const measured = sides.map((side) => [side.name, measurement(side, turns.get(side) as WireTurn[])] as const);
  const all = Object.fromEntries(measured) as WireComparison['sides'];
  await ours.client.prepare({ ...request, timing: 'single' });
  await warmUp(ours.client);
  const { seconds } = await ours.client.steps(SINGLE_STEPS);
  return {
    sides: all,
    ratio: median(all.ours.turns.map((speed, round) => speed / (all.http2.turns[round] ?? Number.NaN))),
    loopDelay: { maximum: Math.max(...delays.map(({ maximum }) => maximum)), p99: median(delays.map(({ p99 }) => p99)) },
    batchBytes: ours.stepBytes,
    wireBytes: passed === undefined ? null : { up: passed.up / sent, down: passed.down / sent },
    overhead: median(seconds) * 1000,
  };
}

/** Images a second of so many MiB/s. */
export function imagesPerSecond(speed: number, batchBytes: number): number {
  return (speed * 2 ** 20 * BATCH_IMAGES) / batchBytes;
}

async function startOurs(stack: Stack, wireCase: WireCase, folder: string, files: TlsFiles) {
  const address = wireCase.route === 'unix' ? `unix:${folder}/ours` : '127.0.0.1:0';
  const tlsFlags = files.certificate === null ? [] : ['--tls-certificate', files.certificate, '--tls-key', files.key as string];
  const daemon = stack.use(await DaemonProcess.start(['--listen', address, ...tlsFlags]));
  const proxy = await startProxy(stack, wireCase.route, daemon.address);
  const client = stack.use(startScript(new URL('our_client.ts', import.meta.url), 1, 'our client'));
  const request: OurRequest = {
    address: proxy?.address ?? daemon.address,
    certificate: files.certificate,
    content: wireCase.content,
    timing: 'stream',
  };
  const { stepBytes } = (await client.prepare(request)) as { stepBytes: number };
  const side: Side = { name: 'ours', client, serverPid: daemon.pid, proxy: proxy?.worker ?? null, stepBytes };
  return { daemon, side, request };
}

async function startPeer(
  stack: Stack,
  name: Exclude<SideName, 'ours'>,
  { route }: WireCase,
  folder: string,
  files: TlsFiles,
  stepBytes: number,
): Promise<Side> {
  const start = (role: 'server' | 'client') =>
    stack.use(
      name === 'grpcio'
        ? startPython('grpcio_wire.py', 1, `grpcio's ${role}`)
        : startScript(new URL(`raw_${role}.ts`, import.meta.url), 1, `the ${role} of ${name}`),
    );
  const protocol = name === 'tcp' ? 'tcp' : 'http2';
  const server = start('server');
  const listen = route === 'unix' ? `unix:${folder}/${name}` : '127.0.0.1:0';
  const serverRequest: ServerRequest = { protocol, address: listen, ...files };
  const { address } = (await server.prepare({ ...serverRequest, role: 'server' })) as { address: string };
  const proxy = await startProxy(stack, route, address);
  const client = start('client');
  const request: ClientRequest = { protocol, address: proxy?.address ?? address, certificate: files.certificate, stepBytes };
  await client.prepare({ ...request, role: 'client' });
  return { name, client, serverPid: server.pid, proxy: proxy?.worker ?? null, stepBytes };
}

async function startProxy(stack: Stack, route: Route, target: string) {
  const delay = DELAYS[route];
  if (delay === null) return null;
  const worker = stack.use(startScript(new URL('delaying_proxy.ts', import.meta.url), 1, 'the process in between'));
  const request: ProxyRequest = { target, delay };
  const { address } = (await worker.prepare(request)) as { address: string };
  return { worker, address };
}

async function warmUp(client: Worker): Promise<void> {
  const end = performance.now() + WARM_UP_SECONDS * 1000;
  while (performance.now() < end) await client.steps(WARM_UP_STEPS);
}

async function turn({ client, serverPid, stepBytes }: Side, steps: number): Promise<WireTurn> {
  await pause(PAUSE_MILLISECONDS);
  const before = { client: cpuSeconds(client.pid), server: cpuSeconds(serverPid) };
  const { seconds } = await client.steps(steps);
  const bytes = steps * stepBytes;
  const perGibibyte = (cpu: number) => cpu / (bytes / 2 ** 30);
  return {
    speed: bytes / 2 ** 20 / (seconds[0] ?? Number.NaN),
    client: perGibibyte(cpuSeconds(client.pid) - before.client),
    server: perGibibyte(cpuSeconds(serverPid) - before.server),
  };
}

function measurement({ client, serverPid }: Side, turns: readonly WireTurn[]): WireMeasurement {
  return {
    speed: median(turns.map(({ speed }) => speed)),
    turns: turns.map(({ speed }) => speed),
    cpu: { client: median(turns.map((one) => one.client)), server: median(turns.map((one) => one.server)) },
    peakBytes: { client: peakBytes(client.pid), server: peakBytes(serverPid) },
  };
}

/** A certificate for this machine by this machine, of the kind that is usual: elliptic curve P-256. */
function makeCertificate(folder: string): { certificate: string; key: string } {
  const [certificate, key] = [`${folder}/certificate.pem`, `${folder}/key.pem`];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', [...kind, ...names, '-keyout', key, '-out', certificate], { stdio: ['ignore', 'ignore', 'pipe'] });
  return { certificate, key };
}
