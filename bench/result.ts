import type { Machine } from './machine.js';

/** What `--json` writes and bench/results/ keeps. */
export interface BenchResult {
  readonly machine: Machine;
  /** What was run. */
  readonly command: string;
  readonly rows: readonly Row[];
}

/** Speed beside a peer. */
export interface SpeedResult extends BenchResult {
  readonly benchmark: SpeedBenchmark;
}

/** What was measured, and beside whom. */
export const SPEED_BENCHMARKS = {
  step: { title: 'training step', peer: 'PyTorch' },
  apply: { title: 'applying', peer: 'ONNX Runtime' },
} as const;

export type SpeedBenchmark = keyof typeof SPEED_BENCHMARKS;

/** One line of a table: the same quantity of both sides, and ours / peer. */
export interface Row {
  readonly case: string;
  readonly ours: number;
  readonly peer: number;
  readonly ratio: number;
  readonly unit: 'images/s' | 'MiB/s' | 'MiB' | 'relative error' | 'top-1 error';
  /** More of the same measurement, for whoever asks why. */
  readonly details?: unknown;
}

/** The rows as Markdown, one line a case, speed and memory side by side. */
export function markdown(result: SpeedResult): string {
  const { benchmark, rows } = result;
  const { title, peer: peerName } = SPEED_BENCHMARKS[benchmark];
  const memory = new Map(rows.filter(({ unit }) => unit === 'MiB').map((row) => [row.case, row]));
  const lines = rows
    .filter(({ unit }) => unit === 'images/s')
    .map(({ case: name, ours, peer, ratio }) => {
      const bytes = memory.get(name);
      const peak = bytes === undefined ? ['', ''] : [bytes.ours.toFixed(0), bytes.peer.toFixed(0)];
      return `| ${[name, digits(ours), digits(peer), `**${ratio.toFixed(2)}**`, ...peak].join(' | ')} |`;
    });
  return [
    `| ${title} | ours, images/s | ${peerName}, images/s | ratio | ours, peak MiB | ${peerName}, peak MiB |`,
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...lines,
    '',
    machineLine(result),
    '',
  ].join('\n');
}

/** Where and when it was measured, and by which command. */
export function machineLine({ machine, command }: Pick<BenchResult, 'machine' | 'command'>): string {
  return (
    `${machine.processor}, ${machine.cores} cores (${machine.instructions}), ${machine.memoryGibibytes} GiB; ${machine.system}; ` +
    `${machine.libraries.join(', ')}; ${machine.peer}; commit ${machine.commit}, ${machine.date}: \`${command}\``
  );
}

/** Three significant digits, as many as such a measurement has. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
