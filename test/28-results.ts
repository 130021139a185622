import test from 'ava';
import { type ApplyResult, readApplyResult } from '../server/classifier/apply_result.js';
import { readTrainResult, type TrainResult, trainResults } from '../server/classifier/train_result.js';
import { Refusal } from '../server/errors/refusal.js';

const STEP: TrainResult = {
  loss: 1.5,
  lossMultinomialLogistic: 1.25,
  lossRegularization: 0.25,
  gradientNorm: 3,
  top1Error: 0.5,
  step: 9,
  learningRate: 0.01,
  uploadSeconds: 1,
  waitSeconds: 2,
  queueSeconds: 4,
  forwardSeconds: 8,
  backwardSeconds: 16,
  updateSeconds: 32,
};

test('a train result tells its loss where nothing is named', (t) => {
  t.deepEqual(readTrainResult(STEP, []), [{ name: 'loss', values: [1.5] }]);
});

test('a train result tells all that it knows, in the order asked for', (t) => {
  const names = trainResults.map(({ name }) => name).reverse();
  t.deepEqual(
    readTrainResult(STEP, names).map(({ name, values }) => [name, ...values]),
    [
      ['time_total', 63],
      ['time_update', 32],
      ['time_backward', 16],
      ['time_forward', 8],
      ['time_queue', 6],
      ['time_upload', 1],
      ['top1_error', 0.5],
      ['gradient_norm', 3],
      ['learning_rate', 0.01],
      ['step', 9n],
      ['loss_regularization', 0.25],
      ['loss_multinomial_logistic', 1.25],
      ['loss', 1.5],
    ],
  );
});

test('an unknown train result is refused', (t) => {
  const error = t.throws(() => readTrainResult(STEP, ['loss', 'accuracy']), { instanceOf: Refusal });
  t.is(error?.number, 7713);
  t.regex(error?.message ?? '', /"accuracy": there is no such train result; there are loss, loss_multinomial_logistic, /);
});

const APPLIED: ApplyResult = {
  classes: ['a', 'b', 'c'],
  imageCount: 3,
  confidences: Float32Array.of(0.25, 0.5, 0.25, 0.75, 0.125, 0.125, 0, 0, 1),
};

test('of all images the best class each, in the order of the images', (t) => {
  t.deepEqual(readApplyResult(APPLIED, 'all', []), [
    { name: 'predicted_classes', values: ['b', 'a', 'c'] },
    { name: 'confidences', values: [0.5, 0.75, 1] },
  ]);
  t.deepEqual(readApplyResult(APPLIED, 'all', ['predicted_class_ids']), [{ name: 'predicted_class_ids', values: [1n, 0n, 2n] }]);
});

test('of one image all classes by falling confidence, equal ones in the order of the classes', (t) => {
  t.deepEqual(readApplyResult(APPLIED, 0, ['confidences', 'predicted_class_ids', 'predicted_classes']), [
    { name: 'confidences', values: [0.5, 0.25, 0.25] },
    { name: 'predicted_class_ids', values: [1n, 0n, 2n] },
    { name: 'predicted_classes', values: ['b', 'a', 'c'] },
  ]);
});

test('of equal best classes the first', (t) => {
  const tie: ApplyResult = { classes: ['a', 'b'], imageCount: 1, confidences: Float32Array.of(0.5, 0.5) };
  t.deepEqual(readApplyResult(tie, 'all', ['predicted_classes']), [{ name: 'predicted_classes', values: ['a'] }]);
});

for (const index of [-1, 3]) {
  test(`image ${index} of three is refused`, (t) => {
    const error = t.throws(() => readApplyResult(APPLIED, index, []), { instanceOf: Refusal });
    t.deepEqual(error?.metadata, { name: 'image', got: String(index), wanted: 'an index from 0 to 2' });
  });
}

test('an unknown result is refused', (t) => {
  const error = t.throws(() => readApplyResult(APPLIED, 'all', ['predicted_class']), { instanceOf: Refusal });
  t.is(error?.number, 7713);
});
