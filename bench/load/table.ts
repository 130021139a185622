import { median } from '../median.js';
import { machineLine } from '../result.js';
import type { LoopDelay } from '../wire/daemon_process.js';
import type { LiveMemory, LoadResult } from './measure.js';

/** A result as Markdown. */
export function loadTable(result: LoadResult): string {
  const { clients, seconds, settlingSeconds, steps, applied, refusals, errors, memory, startDelay, loopDelay } = result;
  const [least, most] = [Math.min(...steps), Math.max(...steps)];
  const ofKind = (remainder: number) => median(steps.filter((_, number) => number % 2 === remainder));
  const told = Object.entries(refusals).map(([reason, count]) => `${count} x \`${reason}\``);
  const rows = [
    ['clients, seconds', `${clients}, ${seconds}`],
    ['steps of all clients', `${steps.reduce((sum, count) => sum + count, 0)}`],
    ['steps of a client: least, median, most', `${least}, ${median(steps)}, ${most}`],
    ['median of those with pixels, with references', `${ofKind(0)}, ${ofKind(1)}`],
    ['images classified', `${applied}`],
    ['errors', `${errors.length}`],
    ['refusals that ask to call again', told.join(', ') || 'none'],
    ['memory of the daemon: at the end, at its peak', `${memory.resident.at(-1)} MiB, ${memory.peak} MiB`],
    [`its slope after the first ${settlingSeconds} seconds`, `${memory.slope.toFixed(2)} MiB a minute`],
    ...(memory.live === undefined ? [] : [liveRow(memory.live)]),
    ...(startDelay === undefined ? [] : [['event loop at the start: longest delay, 99th percentile', delays(startDelay)]]),
    ['event loop: longest delay, 99th percentile', delays(loopDelay)],
  ];
  return ['| load | |', '| --- | --- |', ...rows.map((cells) => `| ${cells.join(' | ')} |`), '', machineLine(result), ''].join('\n');
}

function liveRow({ early, end }: NonNullable<LoadResult['memory']['live']>): string[] {
  const at = ({ steps, size, objects }: LiveMemory) => `${size.toFixed(1)} MiB, ${objects} objects after ${steps} steps`;
  return ["of it JavaScript's heap and buffers that no collection frees", `${at(early)}; ${at(end)}`];
}

function delays({ maximum, p99 }: LoopDelay): string {
  return `${maximum.toFixed(0)} ms, ${p99.toFixed(0)} ms`;
}
