/**
 * Measures beside a named peer, in the same run on the same machine.
 *
 *   npm run bench -- step [--json FILE] [--cases PATTERN] [--quick]   a training step beside PyTorch
 *   npm run bench -- apply [--json FILE] [--cases PATTERN] [--quick]  a network applied beside ONNX Runtime
 *   npm run bench -- wire [--json FILE] [--cases PATTERN] [--quick]   images on their way beside raw node:http2, TCP and grpcio
 *   npm run bench -- load [--clients N] [--network NAME] [--seconds N] [--json FILE]  many clients at once: errors, fairness, memory
 *   npm run bench -- agreement [--json FILE] [--networks NAMES]       errors of both beside float64
 *   npm run bench -- accuracy [--json FILE]                           top-1 error after training from scratch
 *   npm run bench -- table FILE                                       a result as a table
 *   npm run bench -- freeze [--network NAME]                          CPU time of a step as more and more layers are frozen
 *   npm run bench -- profile [--network NAME] [--threads N]           milliseconds of each layer in a training step
 *   npm run bench -- gpu [--gpu N] [--batch N] [--precision NAME]      training steps on a GPU, over gRPC
 *   npm run bench -- orders [--threads N]                             convolutions in two orders of activations, and by Winograd
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { Precision } from '../native/index.js';
import { PACKAGE_ROOT } from '../package/root.js';
import { measureAccuracy } from './accuracy/measure.js';
import { accuracyTable } from './accuracy/table.js';
import { measureAgreement } from './agreement/measure.js';
import { agreementTable, inOrderOfNetworks } from './agreement/table.js';
import { APPLY_CASES } from './apply/case.js';
import { compareApply } from './apply/compare.js';
import { measureFreeze } from './freeze.js';
import { trainThroughDaemon } from './gpu/through_daemon.js';
import { measureLoad } from './load/measure.js';
import { loadTable } from './load/table.js';
import { describeMachine } from './machine.js';
import { measureProfile } from './profile.js';
import { type BenchResult, markdown, type Row, type SpeedBenchmark, type SpeedResult } from './result.js';
import { selectCases } from './select_cases.js';
import { STEP_CASES, type StepCase } from './step/case.js';
import { type Comparison, compare, type Measurement } from './step/compare.js';
import type { Effort } from './turns.js';
import { WIRE_CASES } from './wire/case.js';
import { compareWire, wirePeers } from './wire/compare.js';
import { type WireResult, type WireRow, wireRow, wireTable } from './wire/table.js';

const FULL: Effort = { rounds: 5, turnSeconds: 2 };
const WIRE: Effort = { rounds: 5, turnSeconds: 1 };
const QUICK: Effort = { rounds: 3, turnSeconds: 0.5 };

const program = new Command('npm run bench --').description('measures beside a named peer, in the same run on the same machine');

interface GpuOptions extends Readonly<Record<'gpu' | 'network' | 'size' | 'batch' | 'steps', string>> {
  readonly precision: Precision;
}

interface LoadFlags {
  readonly clients: string;
  readonly network: string;
  readonly seconds: string;
  readonly settling: string;
  readonly json?: string;
}

interface CaseOptions {
  readonly json?: string;
  readonly cases: string;
  readonly quick: boolean;
}

/** A command that measures case after case, and writes and prints the rows. */
function casesCommand(name: SpeedBenchmark, description: string, measure: (options: CaseOptions) => AsyncIterable<readonly Row[]>): void {
  program
    .command(name)
    .description(description)
    .option('--json <file>', 'write the rows and the machine to a file')
    .option('--cases <pattern>', 'only cases whose names contain these words, for instance "resnet18 bfloat16, compact 64x64"', '')
    .option('--quick', 'short turns: to see that it works', false)
    .action(async (options: CaseOptions) => {
      const { json, cases, quick } = options;
      const rows: Row[] = [];
      const machine = describeMachine();
      const command = [`npm run bench -- ${name}`, ...(cases ? [`--cases "${cases}"`] : []), ...(quick ? ['--quick'] : [])].join(' ');
      const result: SpeedResult = { benchmark: name, machine, command, rows };
      for await (const more of measure(options)) {
        rows.push(...more);
        // After each case: what was measured is not lost where a later one fails.
        keep(result, json);
      }
      console.log(markdown(result));
    });
}

casesCommand('step', 'images/s and peak memory of a training step beside PyTorch', async function* ({ cases, quick }) {
  for (const stepCase of selectCases(STEP_CASES, cases)) {
    console.error(stepCase.name);
    const comparison = await compare(stepCase, quick ? QUICK : FULL, console.error);
    const { ours, peer, ratio } = comparison;
    console.error(`  ours ${summary(ours)}; PyTorch ${summary(peer)}: ${ratio.toFixed(2)} x`);
    yield rowsOf(stepCase, comparison);
  }
});

casesCommand('apply', 'images/s of a network applied beside ONNX Runtime', async function* ({ cases, quick }) {
  for (const applyCase of selectCases(APPLY_CASES, cases)) {
    const { ours, peer, ratio } = await compareApply(applyCase, quick ? QUICK : FULL);
    const row = { case: applyCase.name, ours: ours.imagesPerSecond, peer: peer.imagesPerSecond, ratio, unit: 'images/s' } as const;
    console.error(`${row.case}: ours ${row.ours.toFixed(1)} images/s; ONNX Runtime ${row.peer.toFixed(1)}: ${ratio.toFixed(2)} x`);
    yield [
      { ...row, details: { turns: { ours: ours.turns, peer: peer.turns } } },
      memoryRow(applyCase.name, ours.peakBytes, peer.peakBytes),
    ];
  }
});

program
  .command('wire')
  .description('MiB/s of images on their way to the engine beside raw node:http2, TCP and grpcio')
  .option('--json <file>', 'write the rows and the machine to a file')
  .option('--cases <pattern>', 'only cases whose names contain these words, for instance "pixels tcp, references"', '')
  .option('--quick', 'short turns: to see that it works', false)
  .action(async ({ json, cases, quick }: CaseOptions) => {
    const command = ['npm run bench -- wire', ...(cases ? [`--cases "${cases}"`] : []), ...(quick ? ['--quick'] : [])].join(' ');
    const rows: WireRow[] = [];
    const result: WireResult = { machine: describeMachine(wirePeers()), command, rows };
    for (const wireCase of selectCases(WIRE_CASES, cases)) {
      rows.push(wireRow(wireCase.name, await compareWire(wireCase, quick ? QUICK : WIRE)));
      console.error(JSON.stringify(rows.at(-1)));
      keep(result, json);
    }
    console.log(wireTable(result));
  });

program
  .command('load')
  .description('many clients at once, each with a classifier of its own: errors, fairness, memory; ends with 1 where anything went wrong')
  .option('--clients <count>', 'half of them send pixels, half name stored images', '32')
  .option('--network <name>', '`means`, which does next to nothing, makes the most steps', 'compact')
  .option('--seconds <count>', 'how long', '600')
  .option('--settling <seconds>', 'of the start, that do not count for the slope of memory', '60')
  .option('--json <file>', 'write the result and the machine to a file')
  .action(async ({ clients, network, seconds, settling, json }: LoadFlags) => {
    const numbers = { clients: Number(clients), seconds: Number(seconds), settlingSeconds: Number(settling) };
    if (!(numbers.settlingSeconds >= 2 && numbers.settlingSeconds < numbers.seconds)) {
      throw new RangeError('--settling must be at least 2 and less than --seconds');
    }
    const result = await measureLoad({ ...numbers, network }, console.error);
    keep(result, json);
    console.log(loadTable(result));
    for (const error of result.errors) console.error(error);
    if (result.errors.length > 0) process.exitCode = 1;
  });

program
  .command('gpu')
  .description('images/s of training steps on a GPU, through the daemon; ends with an error where the daemon does not use it')
  .option('--gpu <index>', 'as GetServerInfo lists them', '0')
  .option('--network <name>', 'one that the server knows', 'resnet50')
  .option('--size <pixels>', 'width and height of the images', '224')
  .option('--batch <images>', 'images a step', '256')
  .addOption(new Option('--precision <name>', 'of the arithmetic').choices(['float32', 'tf32', 'bfloat16']).default('bfloat16'))
  .option('--steps <count>', 'measured, after some to warm up', '30')
  .action(async ({ gpu, network, size, batch, precision, steps }: GpuOptions) => {
    const run = { gpu: Number(gpu), network, size: Number(size), batch: Number(batch), precision, steps: Number(steps) };
    for (const row of await trainThroughDaemon(run)) console.log(JSON.stringify(row));
  });

program
  .command('agreement')
  .description('how far logits, gradients and losses are from float64, beside how far those of PyTorch are')
  .option('--json <file>', 'write the rows and the machine to a file')
  .option('--networks <names>', 'only these, for instance "alexnet,resnet50"; rows of others that the file has stay there', '')
  .option('--peer <folder>', "keep PyTorch's part there, 40 GB for all networks, and take it from there the next time")
  .action(async ({ json, networks, peer }: { json?: string; networks: string; peer?: string }) => {
    const names = networks.split(',').filter(Boolean);
    const command = 'npm run bench -- agreement';
    const kept =
      names.length > 0 && json !== undefined && existsSync(json) ? (JSON.parse(readFileSync(json, 'utf8')) as BenchResult).rows : [];
    const others = kept.filter((row) => !names.some((name) => row.case.startsWith(`${name} `)));
    const result = await measureAgreement(names, peer === undefined ? null : resolve(peer), (rows) => {
      const soFar: BenchResult = { machine: describeMachine(), command, rows: inOrderOfNetworks([...others, ...rows]) };
      keep(soFar, json);
      return soFar;
    });
    console.log(agreementTable(result));
  });

program
  .command('accuracy')
  .description('top-1 error of resnet18 trained from scratch by one recipe, beside PyTorch')
  .option('--json <file>', 'write the row and the machine to a file')
  .action(async ({ json }: { json?: string }) => {
    const machine = describeMachine();
    const result: BenchResult = { machine, command: 'npm run bench -- accuracy', rows: [await measureAccuracy()] };
    keep(result, json);
    console.log(accuracyTable(result));
  });

program
  .command('table')
  .argument('<file>', 'what --json wrote')
  .description('a result as a table')
  .action((file: string) => console.log(markdown(JSON.parse(readFileSync(file, 'utf8')) as SpeedResult)));

program
  .command('freeze')
  .description('CPU time of a training step as more and more layers are frozen, one thread')
  .option('--network <name>', 'one that the server knows', 'resnet18')
  .option('--size <pixels>', 'width and height of the images', '224')
  .option('--batch <images>', 'images a step', '8')
  .addOption(new Option('--precision <name>', 'of the arithmetic').choices(['float32', 'bfloat16']).default('float32'))
  .option('--rounds <count>', 'steps of each case', '5')
  .action(({ network, size, batch, precision, rounds }: Record<string, string>) =>
    measureFreeze({
      network: network ?? '',
      size: Number(size),
      batch: Number(batch),
      precision: precision as Precision,
      rounds: Number(rounds),
    }),
  );

program
  .command('profile')
  .description('milliseconds of each layer in a training step, with operations or bytes a second')
  .option('--network <name>', 'one that the server knows', 'resnet50')
  .option('--size <pixels>', 'width and height of the images', '224')
  .option('--batch <images>', 'images a step', '16')
  .addOption(new Option('--precision <name>', 'of the arithmetic').choices(['float32', 'tf32', 'bfloat16']).default('float32'))
  .option('--threads <count>', 'threads that compute', '1')
  .option('--gpu <index>', 'a GPU that computes in their place')
  .option('--steps <count>', 'steps of which the medians are taken', '5')
  .action(({ network, size, batch, precision, threads, gpu, steps }: Record<string, string>) =>
    measureProfile({
      network: network ?? '',
      size: Number(size),
      batch: Number(batch),
      precision: precision as Precision,
      threads: Number(threads),
      gpu: gpu === undefined ? null : Number(gpu),
      steps: Number(steps),
    }),
  );

program
  .command('orders')
  .option('--threads <count>', 'threads that compute; by default all that the process may use')
  .description('milliseconds of convolutions in the two orders of activations that the engine knows, and by Winograd')
  .action(({ threads }: { threads?: string }) => {
    const build = `${PACKAGE_ROOT}build`;
    execFileSync('cmake', ['--build', build, '--target', 'dl_convolutions'], { stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync(`${build}/native/dl_convolutions`, threads === undefined ? [] : [threads], { stdio: 'inherit' });
  });

/** @param file of `--json`, where there is one */
function keep(result: object, file: string | undefined): void {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
}

function summary({ imagesPerSecond, phases: { forward, backward, update } }: Measurement): string {
  const milliseconds = [forward, backward, update].map((value) => value.toFixed(0)).join(' + ');
  return `${imagesPerSecond.toFixed(1)} images/s (forward + backward + update ${milliseconds} ms)`;
}

function rowsOf({ name }: StepCase, { ours, peer, ratio, peerVariant }: Comparison): Row[] {
  return [
    {
      case: name,
      ours: ours.imagesPerSecond,
      peer: peer.imagesPerSecond,
      ratio,
      unit: 'images/s',
      details: { peerVariant, turns: { ours: ours.turns, peer: peer.turns }, phaseMilliseconds: { ours: ours.phases, peer: peer.phases } },
    },
    {
      ...memoryRow(name, ours.peakBytes, peer.peakBytes),
      details: { beforeTheNetwork: { ours: ours.startBytes / 2 ** 20, peer: peer.startBytes / 2 ** 20 } },
    },
  ];
}

function memoryRow(name: string, ours: number, peer: number): Row {
  return { case: name, ours: ours / 2 ** 20, peer: peer / 2 ** 20, ratio: ours / peer, unit: 'MiB' };
}

await program.parseAsync();
