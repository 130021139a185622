import type { BenchResult, Row } from '../result.js';
import { machineLine } from '../result.js';
import { imagesPerSecond, type SideName, type WireComparison } from './compare.js';

/** A case's row: MiB/s of ours beside raw node:http2, with all that was measured besides. */
export interface WireRow extends Row {
  readonly details: WireComparison;
}

export interface WireResult extends BenchResult {
  readonly rows: readonly WireRow[];
}

export function wireRow(name: string, comparison: WireComparison): WireRow {
  const { ours, http2 } = comparison.sides;
  return { case: name, ours: ours.speed, peer: http2.speed, ratio: comparison.ratio, unit: 'MiB/s', details: comparison };
}

/** The rows as Markdown. */
export function wireTable(result: WireResult): string {
  const lines = result.rows.map(({ case: name, ours, peer, ratio, details }) => {
    const { sides, loopDelay, batchBytes, overhead } = details;
    const speed = (side: SideName) => sides[side]?.speed.toFixed(0) ?? '';
    const cpu = ({ client, server }: { readonly client: number; readonly server: number }) => `${client.toFixed(2)} + ${server.toFixed(2)}`;
    const cells = [
      name,
      ours.toFixed(0),
      peer.toFixed(0),
      `**${ratio.toFixed(2)}**`,
      speed('tcp'),
      speed('grpcio'),
      imagesPerSecond(ours, batchBytes).toFixed(0),
      cpu(sides.ours.cpu),
      cpu(sides.http2.cpu),
      (sides.ours.peakBytes.server / 2 ** 20).toFixed(0),
      loopDelay.maximum.toFixed(0),
      overhead.toFixed(1),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const heads = [
    'wire',
    'ours, MiB/s',
    'node:http2, MiB/s',
    'ratio',
    'TCP, MiB/s',
    'grpcio, MiB/s',
    'ours, images/s',
    'ours, CPU s/GiB',
    'node:http2, CPU s/GiB',
    'daemon, peak MiB',
    'event loop, ms',
    'overhead of a step, ms',
  ];
  return [`| ${heads.join(' | ')} |`, `| --- |${' ---: |'.repeat(heads.length - 1)}`, ...lines, '', machineLine(result), ''].join('\n');
}
