import { networks } from '../../server/networks/index.js';
import { type BenchResult, machineLine, type Row } from '../result.js';
import type { Agreement, Quantities } from './compare.js';
import { geometricMean, QUANTITIES, type Quantity } from './distances.js';
import type { Layout } from './peer.js';
import { errorRatio, type Ratio } from './ratio.js';

/** What a row keeps beside the means: the error of every sequence, PyTorch's in both orders of activations. */
type Sequences = Readonly<Record<'ours' | Layout, readonly number[]>>;

/** The rows of a network: of each precision and quantity the geometric mean over its sequences. PyTorch's is that of its default order. */
export function agreementRows(network: string, sequences: readonly (readonly Agreement[])[]): Row[] {
  const precisions = sequences[0]?.map(({ precision }) => precision) ?? [];
  return precisions.flatMap((precision, index) =>
    QUANTITIES.map((quantity): Row => {
      const all = (of: (agreement: Agreement) => Quantities) =>
        sequences.flatMap((agreements) => {
          const agreement = agreements[index];
          const error = agreement === undefined ? null : of(agreement)[quantity];
          return error === null ? [] : [error];
        });
      const details: Sequences = {
        ours: all((a) => a.ours),
        contiguous: all((a) => a.peer.contiguous),
        channels_last: all((a) => a.peer.channels_last),
      };
      const [ours, peer] = [geometricMean(details.ours), geometricMean(details.contiguous)];
      return { case: `${network} ${precision} ${quantity}`, ours, peer, ratio: ours / peer, unit: 'relative error', details };
    }),
  );
}

/** In which order networks were measured does not matter. */
export function inOrderOfNetworks(rows: readonly Row[]): Row[] {
  const position = ({ case: name }: Row) => networks.findIndex((network) => name.startsWith(`${network.name} `));
  return rows.toSorted((a, b) => position(a) - position(b));
}

/** Tables of a line for each network and precision: the errors, and ours over PyTorch's in both orders with the interval of each ratio. */
export function agreementTable(result: BenchResult): string {
  const errors = ({ details }: Row) => {
    const { ours, contiguous, channels_last } = details as Sequences;
    return `${error(ours)} / ${error(contiguous)}, ${error(channels_last)}`;
  };
  return [
    ...table(result.rows, 'error', errors),
    '',
    ...table(result.rows, 'over contiguous', (row) => ratioCell(ratioOf(row, 'contiguous'))),
    '',
    ...table(result.rows, 'over channels last', (row) => ratioCell(ratioOf(row, 'channels_last'))),
    '',
    ...['float32', 'bfloat16'].flatMap((precision) => [...verdict(result.rows, precision), '']),
    machineLine(result),
    '',
  ].join('\n');
}

function table(rows: readonly Row[], title: string, cell: (row: Row) => string): string[] {
  const lines = new Map<string, Map<Quantity, string>>();
  for (const row of rows) {
    const quantity = QUANTITIES.find((candidate) => row.case.endsWith(` ${candidate}`));
    if (quantity === undefined) continue;
    const line = row.case.slice(0, -quantity.length - 1);
    lines.set(line, (lines.get(line) ?? new Map<Quantity, string>()).set(quantity, cell(row)));
  }
  const cells = [...lines].map(([line, byQuantity]) => [line, ...QUANTITIES.map((quantity) => byQuantity.get(quantity) ?? '')]);
  return [
    `| ${[title, ...QUANTITIES].join(' | ')} |`,
    `| --- |${' ---: |'.repeat(QUANTITIES.length)}`,
    ...cells.map((line) => `| ${line.join(' | ')} |`),
  ];
}

function ratioOf({ details }: Row, layout: Layout): Ratio {
  const { ours, [layout]: theirs } = details as Sequences;
  return errorRatio(ours, theirs);
}

/** How many ratios are surely above 1, surely below, and neither. */
function verdict(rows: readonly Row[], precision: string): string[] {
  const own = rows.filter(({ case: name }) => name.includes(` ${precision} `));
  if (own.length === 0) return [];
  const sentences = (['contiguous', 'channels_last'] as const).map((layout) => {
    const ratios = own.map((row) => ratioOf(row, layout));
    const [larger, smaller] = [ratios.filter(isLarger).length, ratios.filter(({ high }) => high < 1).length];
    const beside = layout === 'contiguous' ? 'contiguous order' : 'channels last';
    return `beside PyTorch's ${beside} ours is larger in ${larger}, smaller in ${smaller}, not to be told apart in ${own.length - larger - smaller}`;
  });
  return [`${precision}, ${own.length} errors: ${sentences.join('; ')}.`];
}

/** Whether ours is the larger error with all of the interval. */
function isLarger({ low }: Ratio): boolean {
  return low > 1;
}

function ratioCell(ratio: Ratio): string {
  if (!Number.isFinite(ratio.high)) return digits(ratio.ratio);
  const text = `${digits(ratio.ratio)} (${digits(ratio.low)}..${digits(ratio.high)})`;
  return isLarger(ratio) ? `**${text}**` : text;
}

/** Beyond a hundredfold a ratio tells that it is not known. */
function digits(value: number): string {
  if (value < 0.01) return '< 0.01';
  return value > 100 ? '> 100' : value.toPrecision(value < 1 ? 2 : 3);
}

function error(sequences: readonly number[]): string {
  return geometricMean(sequences).toExponential(1);
}
