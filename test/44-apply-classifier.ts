import type { Client } from '@grpc/grpc-js';
import type { GetResultRequest } from '../generated/dlclassifier/v1/classifier.js';
import { call, upload } from './support/calls.js';
import { type Batch, CLASSES, noiseBatch, readCompact, serialize } from './support/classifier.js';
import { applyMessages, getParams, named, plain, refusalOf, setParams, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire();

/** A classifier that has learned its images. */
async function trained(client: Client): Promise<string> {
  const classifier = await readCompact(client);
  await setParams(client, classifier, named('learning_rate', 0.01));
  for (let step = 0; step < 20; step++) await train(client, classifier);
  return classifier;
}

async function apply(client: Client, classifier: string, batch: Batch): Promise<string> {
  return (await upload(client, 'applyClassifier', applyMessages(classifier, batch))).result;
}

async function resultOf(client: Client, result: string, index?: GetResultRequest['index'], ...names: string[]) {
  return plain((await call(client, 'getResult', { result, index, names })).results);
}

const image = (value: number) => ({ $case: 'image', value }) as const;
const all = { $case: 'all', value: true } as const;

test('the best class of each image, by name and by position', async (t) => {
  const { client } = t.context;
  const classifier = await trained(client);
  const result = await apply(client, classifier, noiseBatch());
  const found = await resultOf(client, result, all, 'predicted_classes', 'predicted_class_ids', 'confidences');
  t.deepEqual(found.predicted_class_ids, [0n, 1n, 2n, 0n]);
  t.deepEqual(found.predicted_classes, ['left', 'right', 'none', 'left']);
  t.true(found.confidences?.every((value) => typeof value === 'number' && value > 1 / 3 && value <= 1));
});

test('all classes of one image by falling confidence, which together are 1', async (t) => {
  const { client } = t.context;
  const result = await apply(client, await trained(client), noiseBatch());
  const best = await resultOf(client, result);
  for (let index = 0; index < 4; index++) {
    const found = await resultOf(client, result, image(index), 'predicted_classes', 'confidences', 'predicted_class_ids');
    const confidences = (found.confidences ?? []).map(Number);
    t.deepEqual(
      confidences,
      confidences.toSorted((a, b) => b - a),
    );
    t.true(Math.abs(confidences.reduce((a, b) => a + b, 0) - 1) < 1e-6);
    t.deepEqual([...(found.predicted_classes ?? [])].sort(), CLASSES.toSorted());
    t.deepEqual(
      found.predicted_classes,
      found.predicted_class_ids?.map((id) => CLASSES[Number(id)] ?? ''),
    );
    t.is(found.confidences?.[0], best.confidences?.[index]);
  }
});

test('without an index and without names: classes and confidences of all', async (t) => {
  const { client } = t.context;
  const result = await apply(client, await readCompact(client), noiseBatch());
  t.deepEqual(Object.keys(await resultOf(client, result)), ['predicted_classes', 'confidences']);
  t.deepEqual(await resultOf(client, result), await resultOf(client, result, all));
});

for (const count of [1, 3, 4, 5, 9]) {
  test(`${count} images at a batch size of 4: each gets what it gets alone`, async (t) => {
    const { client } = t.context;
    const classifier = await trained(client);
    const batch = noiseBatch({ batchSize: count });
    const together = await resultOf(client, await apply(client, classifier, batch), all, 'confidences');
    t.is(together.confidences?.length, count);
    const imageBytes = batch.pixels.length / count;
    for (let index = 0; index < count; index++) {
      const pixels = batch.pixels.subarray(index * imageBytes, (index + 1) * imageBytes);
      const alone = await apply(client, classifier, { ...batch, images: { ...batch.images, imageCount: 1 }, pixels });
      const [confidence] = (await resultOf(client, alone, all, 'confidences')).confidences ?? [];
      t.true(Math.abs(Number(confidence) - Number(together.confidences?.[index])) < 1e-6, `image ${index}`);
    }
  });
}

test('applying changes nothing', async (t) => {
  const { client } = t.context;
  const classifier = await trained(client);
  const before = await serialize(client, classifier);
  await apply(client, classifier, noiseBatch({ batchSize: 7 }));
  t.true((await serialize(client, classifier)).equals(before));
});

test('a result stays as it was, whatever becomes of the classifier', async (t) => {
  const { client } = t.context;
  const classifier = await trained(client);
  const result = await apply(client, classifier, noiseBatch());
  const before = await resultOf(client, result);
  await setParams(client, classifier, named('classes', 'x', 'y'));
  t.deepEqual(await resultOf(client, result), before);
  await call(client, 'clearClassifier', { classifiers: [classifier] });
  t.deepEqual(await resultOf(client, result), before);
});

test('classes must be set before images are classified', async (t) => {
  const { client } = t.context;
  const { classifier } = await call(client, 'readClassifier', { fileName: 'compact', pretrained: undefined, seed: undefined });
  await setParams(client, classifier, named('image_dimensions', 16n, 16n, 3n));
  t.is((await refusalOf(apply(client, classifier, noiseBatch()))).metadata.number, '7723');
});

test('an unknown result is refused', async (t) => {
  const { client } = t.context;
  const result = await apply(client, await readCompact(client), noiseBatch());
  t.is((await refusalOf(resultOf(client, result, all, 'loss'))).metadata.number, '7713');
});

test('the image count comes back', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const { imageCount } = await upload(client, 'applyClassifier', applyMessages(classifier, noiseBatch({ batchSize: 6 })));
  t.is(imageCount, 6);
  t.deepEqual(await getParams(client, classifier, 'batch_size'), { batch_size: [4n] });
});
