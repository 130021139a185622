import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { call, upload } from '../calls.js';
import { serialize } from '../classifier.js';
import { deserializeMessages } from '../wire.js';
import type { Case, Situation } from './case.js';

const read = ({ client }: Situation, fileName: string) =>
  call(client, 'readClassifier', { fileName, pretrained: undefined, seed: undefined });
const write = ({ client, classifier }: Situation, fileName: string) => call(client, 'writeClassifier', { classifier, fileName });

async function writeChanged(situation: Situation, name: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  const { fileName } = await write(situation, name);
  const path = join(situation.daemon.models, fileName);
  await writeFile(path, change(await readFile(path)));
}

function withBitFlipped(bytes: Buffer, position: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[position] = (changed[position] ?? 0) ^ 1;
  return changed;
}

export const fileCases: readonly Case[] = [
  {
    what: 'a file that is not there',
    reason: 'FILE_NOT_FOUND',
    metadata: { file_name: 'nothing' },
    act: (s) => read(s, 'nothing'),
  },
  {
    what: 'a network that this server does not have',
    reason: 'FILE_NOT_FOUND',
    metadata: { file_name: 'pretrained_dl_classifier_vgg16.hdl', problem: /no network "vgg16"; it has alexnet, compact, / },
    act: (s) => read(s, 'pretrained_dl_classifier_vgg16.hdl'),
  },
  {
    what: 'trained weights that nobody has put there',
    reason: 'FILE_NOT_FOUND',
    metadata: { file_name: 'resnet18', problem: /pretrained\/resnet18\.safetensors/, remedy: /torchvision.*pretrained = false/ },
    act: (s) => read(s, 'resnet18'),
  },
  {
    what: 'a path instead of a name',
    reason: 'FILE_NOT_FOUND',
    metadata: { file_name: '../etc/passwd', problem: /letters, digits/ },
    act: (s) => read(s, '../etc/passwd'),
  },
  {
    what: 'a stored classifier with one bit changed',
    reason: 'FILE_DAMAGED',
    metadata: { file_name: 'flipped.safetensors', problem: /checksum of its data/ },
    prepare: (s) => writeChanged(s, 'flipped', (bytes) => withBitFlipped(bytes, bytes.length - 1)),
    act: (s) => read(s, 'flipped'),
  },
  {
    what: 'a stored classifier that was cut off',
    reason: 'FILE_DAMAGED',
    metadata: { file_name: 'cut.safetensors', problem: /the file has/ },
    prepare: (s) => writeChanged(s, 'cut', (bytes) => bytes.subarray(0, -1000)),
    act: (s) => read(s, 'cut'),
  },
  {
    what: 'bytes that were damaged on the way to the caller and back',
    reason: 'FILE_DAMAGED',
    metadata: { file_name: 'the serialized classifier', problem: /checksum/ },
    act: async ({ client, classifier }) => {
      const bytes = withBitFlipped(await serialize(client, classifier), 100_000);
      return upload(client, 'deserializeClassifier', deserializeMessages(bytes));
    },
  },
  {
    what: "HALCON's own file",
    reason: 'FILE_NOT_OURS',
    metadata: { file_name: 'classifier.hdl', problem: /closed format/, remedy: /read a network instead/ },
    prepare: ({ daemon }) => writeFile(join(daemon.models, 'classifier.hdl'), 'what HALCON writes, whatever that is'),
    act: (s) => read(s, 'classifier.hdl'),
  },
  {
    what: 'bytes that are no classifier',
    reason: 'FILE_NOT_OURS',
    metadata: { file_name: 'the serialized classifier', problem: /header claims/ },
    act: ({ client }) => upload(client, 'deserializeClassifier', deserializeMessages(Buffer.from('no classifier at all'))),
  },
  {
    what: 'a classifier of a newer version',
    reason: 'FILE_TOO_NEW',
    metadata: { file_name: 'new.safetensors', got_version: '2', supported_version: '1' },
    prepare: (s) => {
      return writeChanged(s, 'new', (bytes) =>
        Buffer.from(bytes.toString('latin1').replace('"format_version":"1"', '"format_version":"2"'), 'latin1'),
      );
    },
    act: (s) => read(s, 'new'),
  },
  {
    what: 'a name that a file cannot have',
    reason: 'WRONG_VALUE',
    metadata: { name: 'file_name', got: '"../x"', wanted: /letters, digits/ },
    act: (s) => write(s, '../x'),
  },
  {
    what: 'a file that cannot be written',
    reason: 'FILE_NOT_WRITABLE',
    metadata: { file_name: 'taken.safetensors', problem: /^E[A-Z]+$/ },
    prepare: ({ daemon }) => mkdir(join(daemon.models, 'taken.safetensors', 'inside'), { recursive: true }),
    act: (s) => write(s, 'taken'),
  },
];
