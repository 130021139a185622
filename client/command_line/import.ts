import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { ImportedWeights } from '../classifier/descriptions.js';
import { CommandFailure } from './failure.js';
import type { Session } from './session.js';
import { mebibytes } from './table.js';

interface ImportOptions {
  readonly as: string;
  readonly name?: string;
  readonly classes?: readonly string[];
  readonly size?: readonly [width: number, height: number];
  readonly seed?: bigint;
}

/** dlc import FILE --as NETWORK */
export function importCommand(program: Command, session: Session): void {
  program
    .command('import')
    .description('Brings weights of torchvision or timm to the daemon, as trained weights of a network or as a stored classifier.')
    .argument('<file>', 'safetensors file with tensors of the types F32, F16, BF16 or F64')
    .requiredOption('--as <network>', 'network that the weights are for, for instance resnet50')
    .option(
      '--name <stored>',
      'store a classifier of this name; without it the weights become the trained weights of the network',
      storedName,
    )
    .option('--classes <names>', 'names of its classes, separated by commas', classNames)
    .option('--size <pixels>', 'width x height of its images, for instance 96 or 128x96; by default 224', imageSize)
    .option('--seed <integer>', 'of a last layer that is initialised anew', integer)
    .action(async (file: string, _: unknown, command: Command) => {
      const bytes = await readWhole(file);
      await session.run<ImportOptions>(command, async (client, { as, name, classes, size, seed }) => {
        const imported = await client.importWeights(bytes, as, { name, classes, imageSize: size, seed, source: basename(file) });
        return { text: describeImport(imported, as), value: imported };
      });
    });
}

function describeImport(imported: ImportedWeights, network: string): string {
  const { fileName, sizeBytes, tensorCount, naming, reinitializedLayers, fileClassCount, classCount } = imported;
  const names = naming === '' ? '' : ` under the names of ${naming}`;
  const lines = [`stored ${fileName} (${mebibytes(sizeBytes)}): ${tensorCount} tensors of ${network}${names}`];
  for (const layer of reinitializedLayers) {
    lines.push(`${layer} is initialised anew: the file has ${fileClassCount} classes, the network ${classCount}`);
  }
  return lines.join('\n');
}

async function readWhole(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const problem = { ENOENT: 'there is no such file', EISDIR: 'it is a folder', EACCES: 'it may not be read' }[code] ?? message;
    throw new CommandFailure(`${file}: ${problem}`);
  }
}

function storedName(text: string): string {
  if (text === '') throw new InvalidArgumentError('Give a name, or leave --name out for trained weights of the network.');
  return text;
}

function classNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === '')) throw new InvalidArgumentError('Give names separated by commas, none of them empty.');
  return names;
}

function imageSize(text: string): [width: number, height: number] {
  const [, width, height = width] = /^([1-9]\d{0,8})(?:x([1-9]\d{0,8}))?$/.exec(text) ?? [];
  if (width === undefined || height === undefined)
    throw new InvalidArgumentError('Give pixels, one number above 0 for both or WIDTHxHEIGHT.');
  return [Number(width), Number(height)];
}

function integer(text: string): bigint {
  if (!/^\d{1,19}$/.test(text)) throw new InvalidArgumentError('Give an integer from 0 to 9999999999999999999.');
  return BigInt(text);
}
