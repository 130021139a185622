import { type BenchResult, machineLine, type Row } from '../result.js';
import type { Agreement } from './compare.js';
import { QUANTITIES, type Quantity, rootMeanSquare } from './distances.js';

/** The rows of a network: of each precision and quantity the root mean square over its sequences. */
export function agreementRows(network: string, sequences: readonly (readonly Agreement[])[]): Row[] {
  const precisions = sequences[0]?.map(({ precision }) => precision) ?? [];
  return precisions.flatMap((precision, index) =>
    QUANTITIES.map((quantity): Row => {
      const all = (of: 'ours' | 'peer') => sequences.map((agreements) => agreements[index]?.[of][quantity] ?? Number.NaN);
      const [ours, peer] = [rootMeanSquare(all('ours')), rootMeanSquare(all('peer'))];
      const details = { ours: all('ours'), peer: all('peer') };
      return { case: `${network} ${precision} ${quantity}`, ours, peer, ratio: ours / peer, unit: 'relative error', details };
    }),
  );
}

/** One line for a network and a precision, `ours / PyTorch's` in each cell; bold where ours is the larger. */
export function agreementTable(result: BenchResult): string {
  const cells = new Map<string, Map<Quantity, string>>();
  for (const { case: name, ours, peer } of result.rows) {
    const quantity = QUANTITIES.find((candidate) => name.endsWith(` ${candidate}`));
    if (quantity === undefined) continue;
    const line = name.slice(0, -quantity.length - 1);
    const text = `${digits(ours)} / ${digits(peer)}`;
    const cell = ours > peer ? `**${text}**` : text;
    cells.set(line, (cells.get(line) ?? new Map<Quantity, string>()).set(quantity, cell));
  }
  const lines = [...cells].map(([line, row]) => `| ${[line, ...QUANTITIES.map((quantity) => row.get(quantity) ?? '')].join(' | ')} |`);
  return [`| | ${QUANTITIES.join(' | ')} |`, `| --- |${' ---: |'.repeat(QUANTITIES.length)}`, ...lines, '', machineLine(result), ''].join(
    '\n',
  );
}

function digits(value: number): string {
  return value.toExponential(1);
}
