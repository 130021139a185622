import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { engineBinding } from '../native/index.js';
import { PACKAGE_ROOT } from '../package/root.js';

/** Where and of what a result was measured. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  /** For instance `AVX-512, bfloat16 (AMX)`. */
  readonly instructions: string;
  readonly memoryGibibytes: number;
  readonly system: string;
  readonly node: string;
  /** What our engine uses. */
  readonly libraries: readonly string[];
  /** For instance `PyTorch 2.13.0+cpu, oneDNN v3.12`. */
  readonly peer: string;
  /** Of this repository, with `-dirty` where files were changed. */
  readonly commit: string;
  readonly date: string;
}

const PEER_VERSION = `
import re, torch
onednn = re.search(r"MKL-DNN v([\\d.]+)|oneDNN v([\\d.]+)", torch.__config__.show())
print(f"PyTorch {torch.__version__}" + (f", oneDNN {onednn[1] or onednn[2]}" if onednn else ""))
`;

/** @param peer what is measured beside, with its version; PyTorch where it is left out */
export function describeMachine(peer: string = pytorch()): Machine {
  const cpuinfo = readFileSync('/proc/cpuinfo', 'utf8');
  const [processor] = cpus();
  const engine = new (engineBinding().Engine)({ gpu: null, threads: 1, queueLength: 1 });
  const { libraries } = engine.info;
  void engine.close();
  return {
    processor: [processor?.model.trim() ?? 'unknown', ...processorModel(cpuinfo)].join(', '),
    cores: cpus().length,
    instructions: instructions(cpuinfo),
    memoryGibibytes: Math.round(totalmem() / 2 ** 30),
    system: systemName(),
    node: process.version,
    libraries,
    peer,
    commit: output('git', ['describe', '--always', '--dirty', '--abbrev=12', '--exclude', '*']),
    date: new Date().toISOString().slice(0, 10),
  };
}

function pytorch(): string {
  return output(`${PACKAGE_ROOT}.venv/bin/python`, ['-c', PEER_VERSION]);
}

/** Virtual machines often have no more than the maker's name as the model's: family and model tell which it is. */
function processorModel(cpuinfo: string): string[] {
  const field = (name: string) => new RegExp(`^${name}\\s*: (\\d+)$`, 'm').exec(cpuinfo)?.[1];
  const [family, model] = [field('cpu family'), field('model')];
  return family === undefined || model === undefined ? [] : [`family ${family} model ${model}`];
}

function instructions(cpuinfo: string): string {
  const flags = new Set(/^flags\s*: (.*)$/m.exec(cpuinfo)?.[1]?.split(' '));
  const vector = flags.has('avx512f') ? 'AVX-512' : flags.has('avx2') ? 'AVX2' : 'neither AVX-512 nor AVX2';
  if (flags.has('amx_bf16')) return `${vector}, bfloat16 by AMX`;
  return flags.has('avx512_bf16') ? `${vector}, bfloat16 by AVX-512` : `${vector}, no bfloat16`;
}

function systemName(): string {
  return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown';
}

function output(file: string, args: readonly string[]): string {
  return execFileSync(file, args, { cwd: PACKAGE_ROOT, encoding: 'utf8' }).trim();
}
