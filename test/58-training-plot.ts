import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import sharp from 'sharp';
import { type TrainingProgress, trainingPlot, writeTrainingPlot } from '../client/index.js';

const WIDTH = 800;

/** Falls, rises again after the fourth epoch; the learning rate falls tenfold after every second one. */
const PROGRESS: readonly TrainingProgress[] = Array.from({ length: 8 }, (_, index) => ({
  epoch: index + 1,
  trainingError: 0.4 / (index + 1),
  validationError: 0.1 + 0.02 * Math.abs(index - 3),
  loss: 2 / (index + 1),
  learningRate: 0.1 ** (1 + Math.floor(index / 2)),
}));

interface Line {
  readonly color: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

function linesOf(svg: string): Line[] {
  return [...svg.matchAll(/<polyline points="([^"]*)"[^>]* stroke="([^"]*)"/g)].map(([, points = '', color = '']) => ({
    color,
    points: points.split(' ').map((point) => point.split(',').map(Number) as unknown as readonly [number, number]),
  }));
}

/** Of the part of the straight line through the first and the last of these that lies before each. */
function shares(values: readonly number[]): number[] {
  const [first = 0, last = 0] = [values[0], values.at(-1)];
  return values.map((value) => (value - first) / (last - first));
}

function closeTo(t: ExecutionContext, actual: readonly number[], expected: readonly number[], what: string): void {
  t.is(actual.length, expected.length, what);
  for (const [index, value] of actual.entries())
    t.true(Math.abs(value - (expected[index] as number)) < 0.01, `${what}, ${index}: ${value}`);
}

test('each point lies where its epoch and its value are: errors and loss by their size, learning rates by their logarithm', (t) => {
  const [training, validation, loss, rate, ...others] = linesOf(trainingPlot(PROGRESS));
  t.is(others.length, 0);
  const evenly = PROGRESS.map((_, index) => index / (PROGRESS.length - 1));
  for (const [line, values, what] of [
    [training, PROGRESS.map(({ trainingError }) => trainingError as number), 'training error'],
    [loss, PROGRESS.map(({ loss }) => loss as number), 'loss'],
    [rate, PROGRESS.map(({ learningRate }) => Math.log(learningRate as number)), 'learning rate'],
  ] as const) {
    const points = line?.points ?? [];
    closeTo(t, shares(points.map(([x]) => x)), evenly, `epochs of ${what}`);
    closeTo(t, shares(points.map(([, y]) => y)), shares(values), what);
    t.true((points[0]?.[1] ?? 0) < (points.at(-1)?.[1] ?? 0), `greater ones are above: ${what}`);
  }
  // Both errors have one axis.
  const height = (line: Line | undefined, index: number) => line?.points[index]?.[1] as number;
  const pixelsOfAShare = (height(training, 7) - height(training, 0)) / (0.4 - 0.4 / 8);
  closeTo(t, [(height(validation, 3) - height(training, 0)) / pixelsOfAShare], [0.4 - 0.1], 'validation error');
});

test('a program that draws SVG draws it, with the lowest validation error marked', async (t) => {
  const svg = trainingPlot(PROGRESS, { title: 'shoes' });
  t.regex(svg, />shoes: lowest validation error 10\.00 % after 4 epochs</);
  const { data, info } = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  t.is(info.width, WIDTH);
  const validation = linesOf(svg)[1] as Line;
  const [x, y] = validation.points[3] as readonly [number, number];
  const redness = (column: number, row: number) => {
    const [red = 0, green = 0] = data.subarray((Math.round(row) * info.width + Math.round(column)) * 3);
    return red - green;
  };
  t.true(redness(x, y) > 100, 'the point');
  t.true(Math.max(redness(x, y - 5), redness(x, y - 6), redness(x, y - 4)) > 80, 'the ring around it');
  t.true(redness(x, y - 12) < 20, 'what is above');
  const other = validation.points[6] as readonly [number, number];
  t.true(Math.max(...[4, 5, 6].map((up) => redness(other[0], other[1] + up))) < 60, 'no ring around another');
});

test('what is not known is not drawn, and a training that has just begun has its axis', (t) => {
  t.is(linesOf(trainingPlot([], { epochs: 50 })).length, 0);
  t.regex(trainingPlot([], { epochs: 50 }), />50<\/text>/);
  const partly = trainingPlot([{ epoch: 1, loss: 2 }, { epoch: 2, loss: 1, validationError: null }, { epoch: 3 }]);
  t.deepEqual(
    linesOf(partly).map(({ points }) => points.length),
    [2],
  );
  t.notRegex(partly, /top-1|learning rate|NaN|Infinity/);
  const constant = { trainingError: 0, validationError: 0, loss: 0, learningRate: 0.001 };
  t.notRegex(trainingPlot([{ epoch: 0, ...constant }]), /NaN|Infinity/);
  t.notRegex(trainingPlot([{ epoch: 1, learningRate: 0 }]), /NaN|Infinity/);
});

test('titles are text, whatever they hold', async (t) => {
  const svg = trainingPlot(PROGRESS, { title: '<script>alert("&")</script>\u0000\ud800' });
  t.true(svg.includes('&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;\ufffd\ufffd'));
  t.is((await sharp(Buffer.from(svg)).metadata()).width, WIDTH);
});

test('values that cannot be drawn are refused by name', (t) => {
  for (const [progress, message] of [
    [{ epoch: Number.NaN }, 'progress 1: epoch is NaN; give a finite number from 0 on'],
    [{ epoch: 1, validationError: 17 }, 'progress 1: validationError is 17; give a share from 0 to 1'],
    [{ epoch: 1, loss: Number.POSITIVE_INFINITY }, 'progress 1: loss is Infinity; give a finite number from 0 on'],
    [{ epoch: 1, learningRate: -1 }, 'progress 1: learningRate is -1; give a finite number from 0 on'],
  ] as const) {
    t.throws(() => trainingPlot([{ epoch: 0 }, progress]), { instanceOf: RangeError, message });
  }
  t.throws(() => trainingPlot([], { epochs: 0 }), { instanceOf: RangeError, message: 'epochs is 0: give a number > 0' });
});

test('a file is written whole, as a drawing or as a page that shows itself anew, and nothing else is left', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dl-classifier-plot-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await writeTrainingPlot(join(folder, 'a.svg'), PROGRESS);
  t.is(await readFile(join(folder, 'a.svg'), 'utf8'), `${trainingPlot(PROGRESS)}\n`);
  await writeTrainingPlot(join(folder, 'b.HTML'), PROGRESS.slice(0, 3), { title: 'a < b' });
  await writeTrainingPlot(join(folder, 'b.HTML'), PROGRESS, { title: 'a < b' });
  const page = await readFile(join(folder, 'b.HTML'), 'utf8');
  t.true(page.includes(trainingPlot(PROGRESS, { title: 'a < b' })));
  t.regex(page, /^<!doctype html>\n[\s\S]*<meta http-equiv="refresh" content="\d+"><title>a &lt; b<\/title>/);
  await t.throwsAsync(writeTrainingPlot(join(folder, 'c.png'), PROGRESS), {
    instanceOf: RangeError,
    message: /a plot is written as \.html or \.svg$/,
  });
  await t.throwsAsync(writeTrainingPlot(join(folder, 'nowhere', 'd.svg'), PROGRESS), { code: 'ENOENT' });
  t.deepEqual(await readdir(folder), ['a.svg', 'b.HTML']);
});
