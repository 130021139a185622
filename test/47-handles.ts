import { call, upload } from './support/calls.js';
import { noiseBatch, readCompact } from './support/classifier.js';
import { applyMessages, getParams, named, refusalOf, setParams, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire();

test('every handle is another, opaque one', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const { trainResult } = await train(client, classifier);
  const { result } = await upload(client, 'applyClassifier', applyMessages(classifier, noiseBatch()));
  for (const handle of [classifier, trainResult, result]) t.regex(handle, /^[A-Za-z0-9_-]{22}$/);
  t.is(new Set([classifier, trainResult, result]).size, 3);
});

test('several classifiers are independent', async (t) => {
  const { client } = t.context;
  const [a, b] = [await readCompact(client), await readCompact(client)];
  await setParams(client, a, named('momentum', 0.1));
  await train(client, a);
  t.deepEqual(await getParams(client, b, 'momentum', 'step'), { momentum: [0.9], step: [0n] });
});

test('clearing several classifiers is all or none', async (t) => {
  const { client } = t.context;
  const [a, b] = [await readCompact(client), await readCompact(client)];
  const { trainResult } = await train(client, a);
  const clear = (...classifiers: string[]) => call(client, 'clearClassifier', { classifiers });
  t.is((await refusalOf(clear(a, b, trainResult))).metadata.number, '2404');
  t.is((await refusalOf(clear(a, b, 'unknown'))).metadata.number, '2450');
  await clear(b, b);
  t.is((await refusalOf(clear(a, b))).metadata.number, '2454');
  t.deepEqual(await getParams(client, a, 'step'), { step: [1n] });
  await clear();
});

test('clearing results is all or none, and leaves the classifier', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const trained = [(await train(client, classifier)).trainResult, (await train(client, classifier)).trainResult];
  const applied = (await upload(client, 'applyClassifier', applyMessages(classifier, noiseBatch()))).result;
  t.is((await refusalOf(call(client, 'clearTrainResult', { trainResults: [...trained, applied] }))).metadata.number, '2404');
  t.is((await refusalOf(call(client, 'clearResult', { results: [applied, trained[0] ?? ''] }))).metadata.number, '2404');
  await call(client, 'getTrainResult', { trainResult: trained[0] ?? '', names: [] });
  await call(client, 'clearTrainResult', { trainResults: trained });
  await call(client, 'clearResult', { results: [applied] });
  for (const trainResult of trained) {
    t.is((await refusalOf(call(client, 'getTrainResult', { trainResult, names: [] }))).metadata.number, '2454');
  }
  const lost = refusalOf(call(client, 'getResult', { result: applied, index: undefined, names: [] }));
  t.is((await lost).metadata.number, '2454');
  t.deepEqual(await getParams(client, classifier, 'step'), { step: [2n] });
});

test('results stay when their classifier is cleared', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const { trainResult } = await train(client, classifier);
  await call(client, 'clearClassifier', { classifiers: [classifier] });
  const { results } = await call(client, 'getTrainResult', { trainResult, names: [] });
  t.is(results[0]?.name, 'loss');
});

test('every call takes its own kind of handle only', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const { trainResult } = await train(client, classifier);
  const attempts = [
    call(client, 'setParam', { classifier: trainResult, params: [] }),
    call(client, 'getParam', { classifier: trainResult, names: [] }),
    call(client, 'writeClassifier', { classifier: trainResult, fileName: 'x' }),
    call(client, 'describeClassifier', { classifier: trainResult }),
    upload(client, 'applyClassifier', applyMessages(trainResult, noiseBatch())),
    call(client, 'getTrainResult', { trainResult: classifier, names: [] }),
    call(client, 'getResult', { result: trainResult, index: undefined, names: [] }),
  ];
  for (const attempt of attempts) t.is((await refusalOf(attempt)).metadata.number, '2404');
});
