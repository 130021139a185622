import { type BenchResult, machineLine, type Row } from '../result.js';
import type { Agreement, Quantities } from './compare.js';
import { QUANTITIES, type Quantity, rootMeanSquare } from './distances.js';

/** What a row keeps beside the root mean squares: PyTorch's with the other order of activations, and each sequence by itself. */
interface Details {
  readonly channelsLast: number;
  readonly sequences: {
    readonly ours: readonly number[];
    readonly contiguous: readonly number[];
    readonly channelsLast: readonly number[];
  };
}

/** The rows of a network: of each precision and quantity the root mean square over its sequences. PyTorch's is that of its default order. */
export function agreementRows(network: string, sequences: readonly (readonly Agreement[])[]): Row[] {
  const precisions = sequences[0]?.map(({ precision }) => precision) ?? [];
  return precisions.flatMap((precision, index) =>
    QUANTITIES.map((quantity): Row => {
      const all = (of: (agreement: Agreement) => Quantities) =>
        sequences.map((agreements) => {
          const agreement = agreements[index];
          return agreement === undefined ? Number.NaN : of(agreement)[quantity];
        });
      const [ours, contiguous, channelsLast] = [all((a) => a.ours), all((a) => a.peer.contiguous), all((a) => a.peer.channels_last)];
      const [our, peer] = [rootMeanSquare(ours), rootMeanSquare(contiguous)];
      const details: Details = { channelsLast: rootMeanSquare(channelsLast), sequences: { ours, contiguous, channelsLast } };
      return { case: `${network} ${precision} ${quantity}`, ours: our, peer, ratio: our / peer, unit: 'relative error', details };
    }),
  );
}

/** One line for a network and a precision; each cell is ours, then PyTorch's contiguous and channels last. Bold where ours is the largest. */
export function agreementTable(result: BenchResult): string {
  const cells = new Map<string, Map<Quantity, string>>();
  for (const { case: name, ours, peer, details } of result.rows) {
    const quantity = QUANTITIES.find((candidate) => name.endsWith(` ${candidate}`));
    if (quantity === undefined) continue;
    const { channelsLast } = details as Details;
    const our = ours > Math.max(peer, channelsLast) ? `**${digits(ours)}**` : digits(ours);
    const line = name.slice(0, -quantity.length - 1);
    const row = cells.get(line) ?? new Map<Quantity, string>();
    cells.set(line, row.set(quantity, `${our} / ${digits(peer)}, ${digits(channelsLast)}`));
  }
  const lines = [...cells].map(([line, row]) => `| ${[line, ...QUANTITIES.map((quantity) => row.get(quantity) ?? '')].join(' | ')} |`);
  return [
    `| | ${QUANTITIES.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(QUANTITIES.length)}`,
    ...lines,
    '',
    summary(result.rows),
    '',
    machineLine(result),
    '',
  ].join('\n');
}

/** How often ours is the larger, counted for each precision. */
function summary(rows: readonly Row[]): string {
  const precisions = ['float32', 'bfloat16'].filter((precision) => rows.some(({ case: name }) => name.includes(` ${precision} `)));
  const sentences = precisions.map((precision) => {
    const own = rows.filter(({ case: name }) => name.includes(` ${precision} `));
    const count = (isLarger: (row: Row) => boolean) => own.filter(isLarger).length;
    const both = count((row) => row.ours > Math.max(row.peer, (row.details as Details).channelsLast));
    return `${precision}: of ${own.length} errors ours is larger than PyTorch's contiguous in ${count((row) => row.ours > row.peer)}, than both of PyTorch's in ${both}.`;
  });
  return sentences.join(' ');
}

function digits(value: number): string {
  return value.toExponential(1);
}
