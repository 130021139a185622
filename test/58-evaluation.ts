import test from 'ava';
import { confusionMatrix, formatConfusionMatrix, measures, topKError } from '../client/index.js';

const CLASSES = ['cat', 'dog', 'cow'];

test('rows are predictions, columns the truth', (t) => {
  //                              cat dog dog cow
  const matrix = confusionMatrix([0, 1, 0, 1], [0, 1, 1, 2], CLASSES);
  t.deepEqual(matrix.counts, [
    [1, 1, 0],
    [0, 1, 1],
    [0, 0, 0],
  ]);
});

test('precision, recall and F-score of each class, and their macro means', (t) => {
  // 10 cats: 8 found; 10 dogs: 6 found, 4 taken for cats; 5 cows: all found, and 2 cats taken for cows.
  const truth = [...new Array(10).fill(0), ...new Array(10).fill(1), ...new Array(5).fill(2)];
  const predicted = [...new Array(8).fill(0), 2, 2, ...new Array(6).fill(1), 0, 0, 0, 0, ...new Array(5).fill(2)];
  const { classes, top1Error, meanPrecision, meanRecall, meanFScore } = measures(confusionMatrix(predicted, truth, CLASSES));
  t.deepEqual(
    classes.map(({ precision, recall }) => [precision, recall]),
    [
      [8 / 12, 8 / 10],
      [6 / 6, 6 / 10],
      [5 / 7, 5 / 5],
    ],
  );
  for (const { precision, recall, fScore } of classes) {
    const harmonicMean = 2 / (1 / (precision ?? 0) + 1 / (recall ?? 0));
    t.true(Math.abs((fScore ?? 0) - harmonicMean) < 1e-12);
  }
  t.is(top1Error, 6 / 25);
  t.is(meanPrecision, (8 / 12 + 1 + 5 / 7) / 3);
  t.is(meanRecall, (0.8 + 0.6 + 1) / 3);
  t.true(Math.abs((meanFScore ?? 0) - (16 / 22 + 12 / 16 + 10 / 12) / 3) < 1e-12);
});

test('an absent class breaks nothing', (t) => {
  // No cow in the test images, none predicted: it counts for nothing.
  const absent = measures(confusionMatrix([0, 0, 1], [0, 1, 1], CLASSES));
  t.deepEqual(absent.classes[2], { className: 'cow', imageCount: 0, precision: null, recall: null, fScore: null });
  t.is(absent.meanPrecision, (1 / 2 + 1) / 2);
  t.is(absent.meanRecall, (1 + 1 / 2) / 2);

  // Predicted, though there is none.
  const invented = measures(confusionMatrix([2, 1], [0, 1], CLASSES));
  t.deepEqual(invented.classes[2], { className: 'cow', imageCount: 0, precision: 0, recall: null, fScore: 0 });

  // There, but never predicted.
  const missed = measures(confusionMatrix([0, 0], [0, 2], CLASSES));
  t.deepEqual(missed.classes[2], { className: 'cow', imageCount: 1, precision: null, recall: 0, fScore: 0 });

  const nothing = measures(confusionMatrix([], [], CLASSES));
  t.like(nothing, { top1Error: null, meanPrecision: null, meanRecall: null, meanFScore: null });
});

test('classes that are none and lists of different length are refused', (t) => {
  t.throws(() => confusionMatrix([0], [3], CLASSES), { instanceOf: RangeError, message: /image 0/ });
  t.throws(() => confusionMatrix([-1], [0], CLASSES), { instanceOf: RangeError });
  t.throws(() => confusionMatrix([0.5], [0], CLASSES), { instanceOf: RangeError });
  t.throws(() => confusionMatrix([0, 1], [0], CLASSES), { instanceOf: RangeError, message: /2 predictions for 1 images/ });
});

test('the matrix as text has a row for each prediction and a column for each true class', (t) => {
  const text = formatConfusionMatrix(confusionMatrix([0, 1, 0, 1], [0, 1, 1, 2], CLASSES));
  t.is(text, ['predicted \\ true 0 1 2', '0 cat            1 1 0', '1 dog            0 1 1', '2 cow            0 0 0'].join('\n'));
});

test('top-k error counts the images whose class is not among the first k', (t) => {
  const rankings = [
    ['cat', 'dog', 'cow'],
    ['dog', 'cat', 'cow'],
    ['cow', 'dog', 'cat'],
    ['cow', 'cat', 'dog'],
  ];
  const truth = ['cat', 'cat', 'cat', 'dog'];
  t.is(topKError(rankings, truth, 1), 3 / 4);
  t.is(topKError(rankings, truth, 2), 2 / 4);
  t.is(topKError(rankings, truth, 3), 0);
  t.is(topKError(rankings, truth, 99), 0);
  t.is(topKError([], [], 1), null);
  t.throws(() => topKError(rankings, truth, 0), { instanceOf: RangeError });
  t.throws(() => topKError(rankings, ['cat'], 1), { instanceOf: RangeError });
});
