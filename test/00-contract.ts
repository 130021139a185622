import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { type EnumTypeDefinition, loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import test from 'ava';
import { ClassifierServiceService } from '../generated/dlclassifier/v1/classifier_service.js';
import { ImageServiceService } from '../generated/dlclassifier/v1/image_service.js';
import { catalogue } from '../server/errors/catalogue.js';

const PROTO = fileURLToPath(new URL('../proto', import.meta.url));
const NAMES = [
  'augmentation',
  'classifier_service',
  'classifier',
  'error',
  'image_service',
  'image_store',
  'image',
  'param',
  'server_info',
  'weights',
];
const FILES = NAMES.map((name) => `dlclassifier/v1/${name}.proto`);
const PREFIX = 'ERROR_REASON_';

function load(file: string) {
  return loadSync(file, { includeDirs: [PROTO], keepCase: true });
}

function values(definition: EnumTypeDefinition): readonly { readonly name: string; readonly number: number }[] {
  return (definition.type as unknown as { value: { name: string; number: number }[] }).value;
}

function reasonsOfContract(): string[] {
  const names = values(load('dlclassifier/v1/error.proto')['dlclassifier.v1.ErrorReason'] as EnumTypeDefinition).map(({ name }) => name);
  return names.filter((name) => name !== `${PREFIX}UNSPECIFIED`).map((name) => name.slice(PREFIX.length));
}

for (const file of FILES) {
  test(`${file} loads at run time, without generated code`, (t) => {
    t.true(Object.keys(load(file)).some((name) => name.startsWith('dlclassifier.v1.')));
  });
}

test('the calls are those of the operator family and our own', (t) => {
  const service = load('dlclassifier/v1/classifier_service.proto')['dlclassifier.v1.ClassifierService'] as ServiceDefinition;
  t.deepEqual(Object.keys(service), [
    'ReadClassifier',
    'SetParam',
    'GetParam',
    'TrainBatch',
    'TrainBatches',
    'GetTrainResult',
    'ClearTrainResult',
    'ApplyClassifier',
    'GetResult',
    'ClearResult',
    'WriteClassifier',
    'SerializeClassifier',
    'DeserializeClassifier',
    'ImportWeights',
    'ExportClassifier',
    'ClearClassifier',
    'ListClassifiers',
    'DescribeClassifier',
    'EstimateMemory',
    'GetServerInfo',
  ]);
  const streams = Object.entries(service).map(([name, method]) => [name, method.requestStream, method.responseStream] as const);
  t.deepEqual(
    streams.filter(([, request]) => request).map(([name]) => name),
    ['TrainBatch', 'TrainBatches', 'ApplyClassifier', 'DeserializeClassifier', 'ImportWeights'],
  );
  t.deepEqual(
    streams.filter(([, , response]) => response).map(([name]) => name),
    ['TrainBatches', 'SerializeClassifier', 'ExportClassifier'],
  );
});

test('the calls of the store put, ask, tell and delete', (t) => {
  const service = load('dlclassifier/v1/image_service.proto')['dlclassifier.v1.ImageService'] as ServiceDefinition;
  const streams = Object.entries(service).map(([name, method]) => [name, method.requestStream, method.responseStream]);
  t.deepEqual(streams, [
    ['HasImages', false, false],
    ['PutImages', true, false],
    ['GetStoreInfo', false, false],
    ['DeleteImages', false, false],
  ]);
});

test('the generated code has the calls of the .proto files', (t) => {
  const paths = (definitions: object): string[] => Object.values(definitions).map((method: { path: string }) => method.path);
  const classifiers = load('dlclassifier/v1/classifier_service.proto')['dlclassifier.v1.ClassifierService'] as ServiceDefinition;
  t.deepEqual(paths(ClassifierServiceService), paths(classifiers));
  const images = load('dlclassifier/v1/image_service.proto')['dlclassifier.v1.ImageService'] as ServiceDefinition;
  t.deepEqual(paths(ImageServiceService), paths(images));
});

test('a bytes field decodes as a view of its message, not as a copy', (t) => {
  const encoded = ClassifierServiceService.trainBatch.requestSerialize({
    header: undefined,
    pixels: new Uint8Array(100_000),
    commit: undefined,
  });
  const { pixels } = ClassifierServiceService.trainBatch.requestDeserialize(encoded);
  t.is(pixels.buffer, encoded.buffer);
});

test('every reason of the contract is in the catalogue of errors, and no other', (t) => {
  t.deepEqual(Object.keys(catalogue).sort(), reasonsOfContract().sort());
});

test('number and status of each reason are those that its comment in error.proto states', async (t) => {
  const text = await readFile(join(PROTO, 'dlclassifier/v1/error.proto'), 'utf8');
  const statements = [...text.matchAll(/\/\/ (?:(\d{4}), )?([A-Z_]+):.*\n(?:\s*\/\/.*\n)*\s*ERROR_REASON_(\w+) = /g)];
  const stated = statements.map(([, number, name, reason]) => [reason, number === undefined ? null : Number(number), name]);
  const listed = Object.entries(catalogue).map(([reason, entry]) => [reason, entry.number, status[entry.status]]);
  t.deepEqual(stated, listed);
});

test('the metadata of each reason are those that its comment in error.proto names', async (t) => {
  const text = await readFile(join(PROTO, 'dlclassifier/v1/error.proto'), 'utf8');
  for (const [reason, entry] of Object.entries(catalogue)) {
    const comment = new RegExp(`((?:\\s*//.*\\n)+)\\s*ERROR_REASON_${reason} = `).exec(text)?.[1] ?? '';
    const named = [...comment.matchAll(/`(\w+)`/g)].map(([, name]) => name);
    for (const key of entry.required) t.true(named.includes(key), `${reason} carries ${key}, which the contract does not name`);
  }
});
