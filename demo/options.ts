import { Command, InvalidArgumentError, Option } from 'commander';
import type { Precision } from '../client/index.js';

const DATA_SETS = ['fashion-mnist', 'mnist', 'cifar10'] as const;
export type DataSetName = (typeof DATA_SETS)[number];

/** What the demonstration is asked to do. */
export interface DemoOptions {
  readonly data: DataSetName;
  /** Seconds of training. */
  readonly seconds: number;
  readonly precision: Precision;
  /** A daemon that runs already; null means one of our own. */
  readonly address: string | null;
  /** Where the figures are written; null means nowhere. */
  readonly json: string | null;
  /** Where a plot of the training is drawn, `.html` or `.svg`; null means nowhere. */
  readonly plot: string | null;
  /** Top-1 error on the test images, 0..1, from which on the demonstration counts as failed; null means none. */
  readonly maxError: number | null;
  readonly seed: number;
}

/** Leaves a margin below three minutes for the steps that are under way at the end. */
const DEFAULT_SECONDS = 150;

export function parseOptions(argv: readonly string[]): DemoOptions {
  const command = new Command('npm run demo --')
    .description('Trains a classifier on real images through the daemon, evaluates it on others, stores it and uses the stored file.')
    .addOption(new Option('--data <name>', 'data set').choices(DATA_SETS).default('fashion-mnist'))
    .addOption(new Option('--seconds <number>', 'seconds of training').argParser(positive).default(DEFAULT_SECONDS))
    .addOption(new Option('--precision <name>', 'arithmetic').choices(['float32', 'bfloat16', 'tf32']).default('float32'))
    .addOption(new Option('--address <host:port>', 'a daemon that runs already').default(null, 'one of its own'))
    .addOption(new Option('--json <file>', 'write the figures to a file').default(null, 'none'))
    .addOption(
      new Option('--plot <file>', 'draw errors, loss and learning rate while it trains, as .html or .svg')
        .argParser(plotFile)
        .default(null, 'none'),
    )
    .addOption(new Option('--max-error <share>', 'end with 1 unless the top-1 error is below').argParser(positive).default(null, 'none'))
    .addOption(new Option('--seed <integer>', 'of weights, order and mirroring').argParser(integer).default(1));
  return command.parse([...argv], { from: 'user' }).opts<DemoOptions>();
}

function plotFile(text: string): string {
  if (!/\.(html|svg)$/i.test(text)) throw new InvalidArgumentError('give the name of a .html or .svg file');
  return text;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('give a number > 0');
  return value;
}

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('give an integer');
  return value;
}
