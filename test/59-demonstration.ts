import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { ConnectionError, DlClassifierClient } from '../client/index.js';
import { Progress, type TrainingState } from '../demo/progress.js';
import { learningRateAt, progressOf } from '../demo/recipe.js';
import { startDaemon } from './support/daemon.js';

const MAIN = fileURLToPath(new URL('../demo/main.ts', import.meta.url));

interface Demonstration {
  readonly folder: string;
  readonly process: ChildProcess;
  stdout(): string;
  /** Resolves when it has written a line like this. */
  wrote(pattern: RegExp): Promise<RegExpExecArray>;
  end(): Promise<number | null>;
}

/** Runs it in a folder of its own, where it keeps what it stores. */
async function start(t: ExecutionContext, flags: readonly string[]): Promise<Demonstration> {
  const folder = await mkdtemp(join(tmpdir(), 'dl-classifier-demo-'));
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), MAIN, ...flags], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGTERM');
    await closed;
    await rm(folder, { recursive: true });
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const wrote = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(stdout);
      if (match !== null) return match;
      if (child.exitCode !== null) throw new Error(`it ended without ${pattern}:\n${stdout}`);
      await Promise.race([once(child.stdout, 'data'), closed]);
    }
  };
  const end = async () => {
    await closed;
    return child.exitCode;
  };
  return { folder, process: child, stdout: () => stdout, wrote, end };
}

test('it trains, evaluates on all test images, stores, and uses the stored file', async (t) => {
  const demonstration = await start(t, ['--seconds', '3', '--json', 'figures.json']);
  t.is(await demonstration.end(), 0);
  const text = demonstration.stdout();
  t.regex(text, /100 % {2}0:00 left/);
  t.regex(text, /predicted \\ true/);
  t.regex(text, /top-1 error \d+\.\d\d % on 10000 images/);
  t.is(text.match(/^test image +\d+: .* truth: /gm)?.length, 8);
  t.deepEqual(await readdir(join(demonstration.folder, 'models')), ['fashion-mnist.safetensors']);
  const figures: Record<string, number> = JSON.parse(await readFile(join(demonstration.folder, 'figures.json'), 'utf8'));
  t.deepEqual(Object.keys(figures), ['top1_error', 'test_images', 'train_seconds', 'images_per_second']);
  t.is(figures.test_images, 10_000);
  t.true((figures.train_seconds ?? 0) >= 3);
  // Ten classes: a guess is wrong 9 times of 10.
  t.true((figures.top1_error ?? 1) < 0.9, `${figures.top1_error}`);
});

test('an error that is not below the one asked for ends it with 1', async (t) => {
  const demonstration = await start(t, ['--seconds', '1', '--max-error', '0.001']);
  t.is(await demonstration.end(), 1);
  t.regex(demonstration.stdout(), /FAILED: the top-1 error is not below 0\.001/);
});

test('Ctrl-C ends it and its daemon', async (t) => {
  const demonstration = await start(t, ['--seconds', '600']);
  const [, address = ''] = await demonstration.wrote(/dl-classifierd \S+ at (\S+):.* threads/);
  const client = await DlClassifierClient.connect(address);
  client.close();
  await demonstration.wrote(/ images\/s /);
  demonstration.process.kill('SIGINT');
  t.is(await demonstration.end(), 130);
  await t.throwsAsync(DlClassifierClient.connect(address, { connectTimeoutMs: 500 }), { instanceOf: ConnectionError });
});

test('a daemon that runs already is used, and left running', async (t) => {
  const daemon = await startDaemon();
  t.teardown(() => daemon.stop());
  const demonstration = await start(t, [
    '--seconds',
    '1',
    '--address',
    daemon.address,
    '--precision',
    'bfloat16',
    '--plot',
    'training.html',
  ]);
  t.is(await demonstration.end(), 0);
  const plot = await readFile(join(demonstration.folder, 'training.html'), 'utf8');
  t.is(plot.match(/<polyline points="[^" ]+ [^"]+"/g)?.length, 4, 'two errors, loss and learning rate');
  await using client = await DlClassifierClient.connect(daemon.address);
  const { stored, open } = await client.listClassifiers();
  t.deepEqual(
    stored.map(({ fileName }) => fileName),
    ['fashion-mnist.safetensors'],
  );
  t.deepEqual(open, [], 'nothing is left open');
});

test('an option that makes no sense ends it with one line', async (t) => {
  for (const flags of [
    ['--seconds', '0'],
    ['--data', 'imagenet'],
    ['--max-error', 'x'],
  ]) {
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), MAIN, ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [exitCode] = await once(child, 'close');
    t.is(exitCode, 1);
    t.regex(stderr, /^error: option '--/);
  }
});

const STATE: TrainingState = { share: 0, step: 1, epoch: 0, loss: 1, learningRate: 0.1, imagesPerSecond: 1000, secondsLeft: 61 };

test('progress is a bar on a terminal, and some twenty lines elsewhere', (t) => {
  let log = '';
  const lines = new Progress({ write: (text) => (log += text) });
  for (let share = 0; share <= 1000; share++) lines.show({ ...STATE, share: share / 1000 });
  lines.end();
  t.is(log.split('\n').length - 1, 21);
  t.false(log.includes('\r'));
  t.regex(log, /^ {2}0 % {2}1:01 left {2}1000 images\/s {2}loss 1\.000/);

  let screen = '';
  const bar = new Progress({ isTTY: true, columns: 60, write: (text) => (screen += text) });
  bar.show({ ...STATE, share: 0.5 });
  bar.end();
  t.regex(screen, /^\r\[={12} {12}\] +50 %/);
  t.true(
    screen.split('\r').every((line) => line.replaceAll('\x1b[K', '').trimEnd().length < 60),
    'a line that wraps could not be drawn anew',
  );
  t.true(screen.endsWith('\n'));
});

test('the learning rate falls to nearly nothing by the time the seconds, or the epochs, are over', (t) => {
  const rates = Array.from({ length: 1001 }, (_, index) => learningRateAt(index / 1000));
  t.true(rates.every((rate, index) => index === 0 || rate <= (rates[index - 1] ?? 0)));
  t.true((rates[0] ?? 0) / (rates[1000] ?? 0) > 500);
  t.is(progressOf(75, 150, 0.1), 0.5);
  t.is(progressOf(200, 150, 0.1), 1);
  t.is(progressOf(1, 150, 1000), 1);
});
