import test from 'ava';
import fc from 'fast-check';
import { type Split, stratifiedSplit } from '../client/index.js';

interface Sample {
  readonly label: string;
  readonly object: string;
  readonly number: number;
}

const samplesOf = (counts: Readonly<Record<string, number>>, perObject = 1): Sample[] =>
  Object.entries(counts).flatMap(([label, count]) =>
    Array.from({ length: count }, (_, number) => ({ label, object: `${label}${Math.floor(number / perObject)}`, number })),
  );

const sizes = (split: Split<Sample>, label: string): number[] =>
  [split.training, split.validation, split.test].map((part) => part.filter((sample) => sample.label === label).length);

test('each class has its share in each part, and every sample is in one part', (t) => {
  const samples = samplesOf({ good: 100, bad: 40, rare: 3 });
  const split = stratifiedSplit(samples, { seed: 1, shares: [0.7, 0.2] });
  t.deepEqual(sizes(split, 'good'), [70, 20, 10]);
  t.deepEqual(sizes(split, 'bad'), [28, 8, 4]);
  t.deepEqual(sizes(split, 'rare'), [2, 1, 0]);
  t.is(new Set([...split.training, ...split.validation, ...split.test]).size, 143);
});

test('the shares hold to within one sample for any counts', (t) => {
  const shares = fc
    .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([a, b]) => [a, b * (1 - a)] as const);
  fc.assert(
    fc.property(fc.array(fc.nat(40), { minLength: 1, maxLength: 5 }), shares, fc.integer(), (counts, [training, validation], seed) => {
      const classes = Object.fromEntries(counts.map((count, index) => [`class ${index}`, count]));
      const split = stratifiedSplit(samplesOf(classes), { seed: seed | 0, shares: [training, validation] });
      return Object.entries(classes).every(([label, count]) =>
        sizes(split, label).every(
          (size, part) => Math.abs(size - count * ([training, validation, 1 - training - validation][part] ?? 0)) <= 1 + 1e-9,
        ),
      );
    }),
  );
  t.pass();
});

test('the same seed gives the same split, another seed another', (t) => {
  const samples = samplesOf({ good: 30, bad: 30 });
  t.deepEqual(stratifiedSplit(samples, { seed: 9 }), stratifiedSplit(samples, { seed: 9 }));
  t.notDeepEqual(stratifiedSplit(samples, { seed: 9 }), stratifiedSplit(samples, { seed: 10 }));
});

test('images of one object stay on one side', (t) => {
  const samples = samplesOf({ good: 90, bad: 60 }, 5);
  const split = stratifiedSplit(samples, { seed: 2, shares: [0.6, 0.2], group: ({ object }) => object });
  const objects = [split.training, split.validation, split.test].map((part) => new Set(part.map(({ object }) => object)));
  t.is(
    objects.reduce((sum, set) => sum + set.size, 0),
    30,
    'no object in two parts',
  );
  // 18 and 12 objects of 5: 0.6, 0.2, 0.2 of the images to within one object.
  for (const [label, count] of [
    ['good', 90],
    ['bad', 60],
  ] as const) {
    for (const [part, size] of sizes(split, label).entries()) t.true(Math.abs(size - count * ([0.6, 0.2, 0.2][part] ?? 0)) <= 5);
  }
});

test('a big object does not push a part far beyond its share', (t) => {
  const samples = [
    ...samplesOf({ good: 50 }, 50),
    ...samplesOf({ good: 50 }).map((sample) => ({ ...sample, object: `single ${sample.number}` })),
  ];
  for (let seed = 0; seed < 20; seed++) {
    const split = stratifiedSplit(samples, { seed, shares: [0.5, 0.25], group: ({ object }) => object });
    t.deepEqual(sizes(split, 'good'), [50, 25, 25]);
  }
});

test('an object of several classes counts for the commonest one, and stays together', (t) => {
  const samples = samplesOf({ good: 40, bad: 20 }).map((sample) => ({ ...sample, object: String(sample.number % 20) }));
  const split = stratifiedSplit(samples, { seed: 4, shares: [0.5, 0.25], group: ({ object }) => object });
  t.deepEqual(
    [split.training, split.validation, split.test].map((part) => part.length),
    [30, 15, 15],
  );
});

test('shares beyond the whole are refused; nothing to split is split into nothing', (t) => {
  for (const shares of [
    [0.8, 0.3],
    [-0.1, 0.5],
    [Number.NaN, 0.5],
    [1.5, -0.6],
  ] as const) {
    t.throws(() => stratifiedSplit(samplesOf({ good: 3 }), { seed: 1, shares }), { instanceOf: RangeError });
  }
  t.deepEqual(stratifiedSplit([] as Sample[], { seed: 1 }), { training: [], validation: [], test: [] });
  t.is(stratifiedSplit(samplesOf({ good: 9 }), { seed: 1, shares: [1, 0] }).training.length, 9);
});
