import { Duplex } from 'node:stream';
import sharp from 'sharp';
import type { Image, LabelledBatch, TrainBatchesOptions, TrainBatchOptions, TrainResult } from '../client/index.js';
import { BatchCall } from '../client/training/batch_call.js';
import type { Connection } from '../client/transport/connection.js';
import { readSmall, testWithDaemon } from './support/client.js';
import { noiseImages } from './support/noise.js';

// Numbers that the contract has no room for: its encoder throws at them in the middle of a call.

const test = testWithDaemon();
const LABELS = ['good', 'bad', 'bad', 'good'];

async function collect(results: AsyncIterable<TrainResult>, steps: number[] = []): Promise<number[]> {
  for await (const { step } of results) steps.push(step);
  return steps;
}

const OPTIONS: readonly { readonly option: RegExp; readonly options: TrainBatchesOptions & TrainBatchOptions }[] = [
  { option: /augmentation\.cropPixels is 12\.5/, options: { augmentation: { seed: 1, cropPixels: 12.5 } } },
  { option: /augmentation\.cropPixels is -3/, options: { augmentation: { seed: 1, cropPixels: -3 } } },
  { option: /augmentation\.seed is 0\.5/, options: { augmentation: { seed: 0.5, mirror: 'r' } } },
  { option: /augmentation\.counter is -1/, options: { augmentation: { seed: 1, counter: -1, mirror: 'r' } } },
  { option: /expectedStep is 1\.5/, options: { expectedStep: 1.5 } },
  { option: /expectedStep is NaN/, options: { expectedStep: Number.NaN } },
  { option: /expectedStep is -1/, options: { expectedStep: -1 } },
];

for (const { option, options } of OPTIONS) {
  test(`an option that cannot be sent is named: ${option.source}`, async (t) => {
    await using classifier = await readSmall(t.context.client);
    const images = noiseImages(4, [16, 16, 1], 1);
    const expected = { instanceOf: RangeError, message: option };
    await t.throwsAsync(classifier.trainBatch(images, LABELS, options), expected);
    await t.throwsAsync(collect(classifier.trainBatches([{ images, labels: LABELS }], options)), expected);
    t.is(await classifier.getParam('step'), 0);
  });
}

test('numbers and names of other calls that cannot be sent are named, and nothing is stored', async (t) => {
  const { client } = t.context;
  const bytes = new Uint8Array(8);
  for (const [call, message] of [
    [() => client.readClassifier('compact', { seed: -1 }), /^seed is -1/],
    [() => client.estimateMemory('compact', { budgetBytes: 0.5 }), /^budgetBytes is 0\.5/],
    [() => client.importWeights(bytes, 'compact', { name: '' }), /^name is empty/],
    [() => client.importWeights(bytes, 'compact', { name: 'x', imageSize: [96, 0] }), /^imageSize is 96 x 0/],
    [() => client.importWeights(bytes, 'compact', { name: 'x', imageSize: [96.5, 96] }), /^imageSize is 96\.5/],
    [() => client.importWeights(bytes, 'compact', { name: 'x', seed: 1.5 }), /^seed is 1\.5/],
  ] as const) {
    await t.throwsAsync<Error>(call, { instanceOf: RangeError, message });
  }
});

test('a domain that cannot be sent is named with its image', async (t) => {
  await using classifier = await readSmall(t.context.client);
  const file = await sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  const whole = { row1: 0, column1: 0, row2: 29, column2: 39 };
  for (const [corner, value] of [
    ['row1', -1],
    ['column2', 1.5],
  ] as const) {
    for (const references of ['always', 'never'] as const) {
      const images: Image[] = [file, file, { file, domain: { ...whole, [corner]: value } }, file];
      const options = { files: 'preprocess', references } as const;
      const expected = { instanceOf: RangeError, message: new RegExp(`image 2: domain\\.${corner} is ${value}`) };
      await t.throwsAsync(classifier.trainBatch(images, LABELS, options), expected);
      await t.throwsAsync(collect(classifier.trainBatches([{ images, labels: LABELS }], options)), expected);
    }
  }
});

test('a batch that the encoder throws at ends the stream before it: those before it are applied, none after it', async (t) => {
  await using classifier = await readSmall(t.context.client);
  let closed = false;
  function* batches(): Generator<LabelledBatch> {
    try {
      yield { images: noiseImages(4, [16, 16, 1], 1), labels: LABELS };
      yield { images: noiseImages(4, [16, 16, 1], 2), labels: LABELS };
      const images = LABELS.map(() => ({ data: new Uint8Array(256), shape: [-16, -16, 1] as const }));
      yield { images, labels: LABELS };
      for (let seed = 4; ; seed++) yield { images: noiseImages(4, [16, 16, 1], seed), labels: LABELS };
    } finally {
      closed = true;
    }
  }
  const steps: number[] = [];
  await t.throwsAsync(collect(classifier.trainBatches(batches(), { window: 4 }), steps), { message: /-16/ });
  t.deepEqual(steps, [1, 2]);
  t.true(closed);
  t.is(await classifier.getParam('step'), 2);
});

test('a call whose first message cannot be sent tells why to whoever reads its responses', async (t) => {
  // A stream of a grpc-js that keeps its parts elsewhere.
  const stream = new Duplex({ objectMode: true, read: () => {}, write: (_message, _encoding, written) => written() });
  const connection = { exchange: () => ({ stream, responses: stream }) } as unknown as Connection;
  const { responses } = new BatchCall(connection, { classifier: '', continueAfterRefusal: false, unanswered: [] }, {});
  await t.throwsAsync(
    async () => {
      for await (const _ of responses);
    },
    { message: /version of @grpc\/grpc-js/ },
  );
});
