import { status } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';
import { type CatalogueEntry, catalogue, type Reason } from '../server/errors/catalogue.js';
import { call } from './support/calls.js';
import { readCompact, serialize } from './support/classifier.js';
import type { Situation } from './support/refusal_cases/case.js';
import { fileCases } from './support/refusal_cases/files.js';
import { handleCases } from './support/refusal_cases/handles.js';
import { imageCases } from './support/refusal_cases/images.js';
import { limitCases, limitFlags, limits } from './support/refusal_cases/limits.js';
import { memoryCases } from './support/refusal_cases/memory.js';
import { parameterCases } from './support/refusal_cases/parameters.js';
import { storedImageCases } from './support/refusal_cases/stored_images.js';
import { trainingCases } from './support/refusal_cases/training.js';
import { uploadCases } from './support/refusal_cases/uploads.js';
import { weightCases } from './support/refusal_cases/weights.js';
import { getParams, named, refusalOf, setParams, testOverTheWire, train, type WireContext } from './support/wire.js';

const test = testOverTheWire(limitFlags);

const CASES = [
  ...handleCases,
  ...fileCases,
  ...parameterCases,
  ...memoryCases,
  ...trainingCases,
  ...imageCases,
  ...uploadCases,
  ...limitCases,
  ...weightCases,
  ...storedImageCases,
];

/** All that a caller can see of the classifier: every parameter, every weight, statistic and momentum, the step. */
async function seen({ client, classifier }: Situation) {
  return { parameters: await getParams(client, classifier), bytes: await serialize(client, classifier) };
}

async function inSituation(t: ExecutionContext<WireContext>, work: (situation: Situation) => Promise<void>): Promise<void> {
  const { client } = t.context;
  const classifier = await readCompact(client);
  try {
    // One step first, so that momentum is not zero.
    const { trainResult } = await train(client, classifier);
    await work({ ...t.context, classifier, trainResult });
  } finally {
    await call(client, 'clearClassifier', { classifiers: [classifier] });
  }
}

for (const { what, reason, metadata, prepare, act } of CASES) {
  const { number, status: code, retry } = catalogue[reason] as CatalogueEntry;
  test.serial(`${number ?? reason}: ${what}`, async (t) => {
    await inSituation(t, async (situation) => {
      await prepare?.(situation);
      const before = await seen(situation);
      const refusal = await refusalOf(act(situation));
      t.is(refusal.reason, reason, refusal.message);
      t.is(refusal.status, status[code]);
      t.is(refusal.domain, 'dlclassifier.v1');
      const { number: toldNumber, retry: toldRetry, ...told } = refusal.metadata;
      t.is(toldNumber, number === null ? undefined : String(number));
      t.is(toldRetry, String(retry));
      for (const [key, wanted] of Object.entries(metadata)) {
        if (wanted instanceof RegExp) t.regex(told[key] ?? '', wanted);
        else t.is(told[key], wanted);
      }
      const after = await seen(situation);
      t.deepEqual(after.parameters, before.parameters);
      t.true(after.bytes.equals(before.bytes), 'not one bit of the classifier has changed');
    });
  });
}

/** Refusals that no call to this daemon can provoke, and where they are tested instead. */
const ELSEWHERE: Partial<Record<Reason, string>> = {
  NOT_RESIZABLE: 'all networks can be resized; 22-parameters has one that cannot',
  CUDNN_MISSING: 'asks for a GPU without cuDNN; 24-gpu-refusals makes one up',
  CUBLAS_MISSING: 'asks for a GPU without cuBLAS; 24-gpu-refusals makes one up',
  DEVICE_LOST: 'asks for a GPU',
  IMAGE_STORE_UNAVAILABLE: 'asks for a daemon that stores no images: 48-image-store-faults',
  CLASSIFIER_FAILED: 'asks for a defect of the engine; 29-classifier-faults puts one there',
  INTERNAL: 'asks for a defect of the server',
  SERVER_STOPPING: 'asks for a server that stops: 34-process',
  CLIENT_STALLED: 'asks for a client that stops sending: 33-stalled-clients',
};

test('every refusal of the contract is provoked here, or says why it cannot be', (t) => {
  const provoked = new Set(CASES.map(({ reason }) => reason));
  t.deepEqual([...provoked, ...(Object.keys(ELSEWHERE) as Reason[])].sort(), (Object.keys(catalogue) as Reason[]).sort());
});

test.serial('the largest batch size that is told fits, and one more does not', async (t) => {
  await inSituation(t, async ({ client, classifier }) => {
    const { metadata } = await refusalOf(setParams(client, classifier, named('batch_size', 1_000_000n)));
    const largest = BigInt(metadata.largest_batch_size ?? '');
    await setParams(client, classifier, named('batch_size', largest), named('runtime_init', 'immediately'));
    const refusal = await refusalOf(setParams(client, classifier, named('batch_size', largest + 1n)));
    t.is(refusal.reason, 'DEVICE_MEMORY_EXHAUSTED');
    t.is(refusal.metadata.largest_batch_size, String(largest));
    t.true(Number(refusal.metadata.bytes) > limits.memory);
  });
});

test.serial('a loss that grows beyond all bounds is refused, and the step before it stays', async (t) => {
  await inSituation(t, async ({ client, classifier }) => {
    await setParams(client, classifier, named('learning_rate', 1e12));
    let before = await serialize(client, classifier);
    for (let step = 0; step < 100; step++) {
      const refusal = await train(client, classifier).then(
        () => null,
        (error: unknown) => refusalOf(Promise.reject(error)),
      );
      if (refusal !== null) {
        t.is(refusal.metadata.number, '7720');
        t.true((await serialize(client, classifier)).equals(before));
        return;
      }
      before = await serialize(client, classifier);
    }
    t.fail('it never diverged');
  });
});
