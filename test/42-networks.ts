/** Each network over the wire, at its smallest images and one pixel below, with 3 channels and with 1, and where its trained weights are not there. */
import type { Client } from '@grpc/grpc-js';
import { networks } from '../server/networks/index.js';
import { call, upload } from './support/calls.js';
import { type Batch, CLASSES, noiseBatch } from './support/classifier.js';
import { applyMessages, getParams, named, plain, refusalOf, setParams, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire();

const BATCH = 6;
/** Small, because batch norms over six values make large gradients. */
const LEARNING_RATE = 1e-4;

/** As {@link noiseBatch}, of any number of channels. */
function batchOf(size: number, channels: number): Batch {
  const { images, labels, pixels } = noiseBatch({ size, batchSize: BATCH });
  return { images: { ...images, channels }, labels, pixels: pixels.subarray(0, BATCH * size * size * channels) };
}

async function read(client: Client, fileName: string): Promise<string> {
  return (await call(client, 'readClassifier', { fileName, pretrained: false, seed: 3n })).classifier;
}

for (const { name, minSize, defaultBatchSize, defaultWeightPrior, defaultSize } of networks) {
  test.serial(`${name}: read as scripts for HALCON have it, with the defaults of the operator family`, async (t) => {
    const { client } = t.context;
    const classifier = await read(client, `pretrained_dl_classifier_${name}.hdl`);
    t.deepEqual(await getParams(client, classifier, 'type', 'batch_size', 'weight_prior', 'image_dimensions', 'classes'), {
      type: [name],
      batch_size: [BigInt(defaultBatchSize)],
      weight_prior: [defaultWeightPrior],
      image_dimensions: [BigInt(defaultSize), BigInt(defaultSize), 3n],
      classes: [],
    });
    await call(client, 'clearClassifier', { classifiers: [classifier] });
  });

  for (const channels of [3, 1]) {
    test.serial(`${name}: learns and classifies images of ${minSize} x ${minSize} x ${channels}`, async (t) => {
      const { client } = t.context;
      const classifier = await read(client, name);
      const dimensions = [minSize, minSize, channels].map(BigInt);
      await setParams(
        client,
        classifier,
        named('image_dimensions', ...dimensions),
        named('classes', ...CLASSES),
        named('batch_size', BigInt(BATCH)),
        named('learning_rate', LEARNING_RATE),
      );
      const batch = batchOf(minSize, channels);
      const losses: number[] = [];
      for (let step = 0; step < 8; step++) losses.push((await train(client, classifier, batch)).loss);
      t.true(Math.min(...losses.slice(4)) < (losses[0] ?? 0), losses.join(' '));
      const { result } = await upload(client, 'applyClassifier', applyMessages(classifier, batch));
      const index = { $case: 'image', value: 0 } as const;
      const { confidences = [] } = plain((await call(client, 'getResult', { result, index, names: ['confidences'] })).results);
      t.is(confidences.length, CLASSES.length);
      t.true(Math.abs(confidences.map(Number).reduce((a, b) => a + b, 0) - 1) < 1e-6);
      await call(client, 'clearClassifier', { classifiers: [classifier] });
    });
  }

  test.serial(`${name}: ${minSize - 1} pixels are refused with 7722 and change nothing`, async (t) => {
    const { client } = t.context;
    const classifier = await read(client, name);
    const below = BigInt(minSize - 1);
    const changes = [
      named('image_width', below),
      named('image_height', below),
      named('image_dimensions', below, 64n, 3n),
      named('image_dimensions', 64n, below, 3n),
    ];
    for (const change of changes) {
      const { reason, metadata, status } = await refusalOf(setParams(client, classifier, named('momentum', 0.5), change));
      t.deepEqual([status, reason, metadata.number], ['INVALID_ARGUMENT', 'IMAGE_SIZE_TOO_SMALL', '7722']);
      t.deepEqual([metadata.got, metadata.minimum], [String(below), String(minSize)]);
    }
    t.deepEqual(await getParams(client, classifier, 'image_dimensions', 'momentum'), {
      image_dimensions: [224n, 224n, 3n],
      momentum: [0.9],
    });
    await call(client, 'clearClassifier', { classifiers: [classifier] });
  });
}

for (const { name, pretrained } of networks.filter((network) => network.pretrained !== null)) {
  for (const fileName of [name, `pretrained_dl_classifier_${name}`, `pretrained_dl_classifier_${name}.hdl`]) {
    test.serial(`${fileName} without its weights is refused with the file to get and the command to run`, async (t) => {
      const { client } = t.context;
      const { status, metadata } = await refusalOf(call(client, 'readClassifier', { fileName, pretrained: undefined, seed: undefined }));
      t.deepEqual([status, metadata.number, metadata.file_name], ['NOT_FOUND', '5200', fileName]);
      t.true(metadata.problem?.includes(`pretrained/${pretrained?.fileName}`));
      t.regex(
        metadata.remedy ?? '',
        new RegExp(`torchvision.models.*\\.${name}\\(weights='DEFAULT'\\).*dlc import ${pretrained?.fileName} --as ${name};`),
      );
      t.deepEqual(await getParams(client, await read(client, fileName), 'type'), { type: [name] });
    });
  }
}
