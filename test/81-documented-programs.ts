import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import sharp from 'sharp';
import { DlClassifierClient } from '../client/index.js';
import { type Daemon, startDaemon } from './support/daemon.js';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const run = promisify(execFile);

/** The first block of code of a document that is in this language and contains `mark`. */
async function block(path: string, language: string, mark: string): Promise<string> {
  const document = await readFile(ROOT + path, 'utf8');
  const blocks = [...document.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].filter(
    ([, name, text]) => name === language && text?.includes(mark),
  );
  const text = blocks[0]?.[2];
  if (text === undefined) throw new Error(`${path} has no ${language} block with ${mark}`);
  return text;
}

/** The program, with the default address replaced by that of a daemon of the test's own. */
function at(address: string, program: string): string {
  if (!program.includes('127.0.0.1:50051')) throw new Error('the program does not connect to the default address');
  return program.replace('127.0.0.1:50051', address);
}

async function temporaryFolder(t: ExecutionContext, parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'readme-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

/** 16 images of each class: a bright disc on a dark ground, and the other way round, of changing size. */
async function drawImages(folder: string): Promise<void> {
  for (const [label, ground, disc] of [
    ['night', '#102030', '#f0e0d0'],
    ['day', '#e0f0ff', '#302010'],
  ] as const) {
    await mkdir(join(folder, 'images', label), { recursive: true });
    for (let index = 0; index < 16; index++) {
      const drawing = `<svg width="80" height="60"><rect width="80" height="60" fill="${ground}"/><circle cx="${20 + 2 * index}" cy="30" r="${5 + index}" fill="${disc}"/></svg>`;
      await sharp(Buffer.from(drawing))
        .jpeg()
        .toFile(join(folder, 'images', label, `${index}.jpg`));
    }
  }
  await sharp({ create: { width: 50, height: 50, channels: 3, background: '#d8e8ff' } }).toFile(join(folder, 'new.jpg'));
}

/** Puts a TypeScript program of a document beside a folder of images, and type-checks it. Gives the folder; the program is `first.ts`. */
async function checkedProgram(t: ExecutionContext, path: string, address: string): Promise<string> {
  // Within the package, so that the package finds itself by its name.
  const folder = await temporaryFolder(t, `${ROOT}.cache`);
  await drawImages(folder);
  await writeFile(join(folder, 'first.ts'), at(address, await block(path, 'ts', 'dl-classifier/client')));
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.json', include: ['first.ts'] }));
  await t.notThrowsAsync(run(`${ROOT}node_modules/.bin/tsc`, ['-p', folder]));
  return folder;
}

const PROGRAM = ['--import', import.meta.resolve('tsx'), 'first.ts'];

/** Type-checks and runs a TypeScript program of a document, and gives what it prints and the folder in which it ran. */
async function runProgram(t: ExecutionContext, path: string, daemon: Daemon): Promise<{ output: string; folder: string }> {
  const folder = await checkedProgram(t, path, daemon.address);
  const { stdout } = await run(process.execPath, PROGRAM, { cwd: folder });
  return { output: stdout, folder };
}

test('the first program of the README type-checks, trains, classifies a new image and stores the classifier', async (t) => {
  const daemon = await startDaemon();
  t.teardown(() => daemon.stop());
  const { output } = await runProgram(t, 'README.md', daemon);
  t.regex(output, /^step 1: loss \d+\.\d{3}\nstep 2: loss \d+\.\d{3}\n/);
  t.regex(output, /className: '(night|day)'/);
  await t.notThrowsAsync(readFile(join(daemon.models, 'my-first-classifier.safetensors')));
});

test('the training script for those who come from HALCON type-checks, trains, evaluates, plots and keeps the best', async (t) => {
  const daemon = await startDaemon();
  t.teardown(() => daemon.stop());
  const { output, folder } = await runProgram(t, 'docs/coming-from-halcon.md', daemon);
  t.is(output.match(/^epoch \d+ top-1 error [01](\.\d+)?$/gm)?.length, 4);
  await t.notThrowsAsync(readFile(join(daemon.models, 'best.safetensors')));
  const plot = await readFile(join(folder, 'training.html'), 'utf8');
  t.is(plot.match(/<polyline points="[^" ]+ [^" ]+ [^" ]+ [^" ]+"/g)?.length, 3, 'two errors and the learning rate, four epochs each');
});

test('the Python program of docs/weights.md classifies with an exported model as the daemon does', async (t) => {
  const daemon = await startDaemon();
  t.teardown(() => daemon.stop());
  const folder = await temporaryFolder(t, tmpdir());
  const client = await DlClassifierClient.connect(daemon.address);
  const classifier = await client.readClassifier('compact', { seed: 1 });
  await classifier.setParam({ classes: ['night', 'day'], image_dimensions: [16, 16, 3], batch_size: 2 });
  await classifier.write('parts');
  const images = { data: Uint8Array.from({ length: 2 * 16 * 16 * 3 }, (_, index) => (index * 37) % 251), shape: [2, 16, 16, 3] } as const;
  const ours = await (await classifier.apply(images)).all();
  client.close();
  await writeFile(join(folder, 'pixels'), images.data);
  const python = `${ROOT}.venv/bin/python`;
  const save = `import numpy; numpy.save("images.npy", numpy.fromfile("pixels", "uint8").reshape(${images.shape}))`;
  await run(python, ['-c', save], { cwd: folder });
  const command = (await block('docs/weights.md', 'sh', '--onnx'))
    .trim()
    .replace(/^npx dlc /, '')
    .split(' ');
  const dlc = [...['--import', import.meta.resolve('tsx')], `${ROOT}client/command_line/main.ts`, '--server', daemon.address];
  await run(process.execPath, [...dlc, ...command], { cwd: folder });
  await writeFile(join(folder, 'classify.py'), await block('docs/weights.md', 'python', 'onnxruntime'));

  const { stdout } = await run(python, ['classify.py'], { cwd: folder });
  const lines = stdout.trim().split('\n');
  t.is(lines.length, 2);
  for (const [index, { className, confidence }] of ours.entries()) {
    const [name, value] = lines[index]?.split(' ') ?? [];
    t.is(name, className);
    t.true(Math.abs(Number(value) - confidence) < 1e-5);
  }
});

test('the program of docs/preprocessing.md trains on varied images of other sizes that the server prepares', async (t) => {
  const daemon = await startDaemon();
  t.teardown(() => daemon.stop());
  const { output } = await runProgram(t, 'docs/preprocessing.md', daemon);
  t.regex(output, /^(step [1-4]: loss \d+\.\d{3}\n){4}/);
  t.regex(output, /className: '(night|day)'/);
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`the program of docs/faults.md goes on after ${signal}, and ends with the weights of an undisturbed training`, async (t) => {
    const models = await temporaryFolder(t, tmpdir());
    const first = await startDaemon(['--models', models]);
    t.teardown(() => first.process.kill('SIGKILL'));
    const { address } = first;
    const folder = await checkedProgram(t, 'docs/faults.md', address);
    const program = spawn(process.execPath, PROGRAM, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => program.kill('SIGKILL'));
    const ended = once(program, 'close');
    let output = '';
    for await (const text of program.stdout.setEncoding('utf8')) {
      output += text;
      // After what was stored at step 50.
      if (!/^step 6\d:/m.test(output) || first.process.killed) continue;
      first.process.kill(signal);
      await (signal === 'SIGKILL' ? t.throwsAsync(first.stop()) : first.stop());
      const second = await startDaemon(['--models', models, '--listen', address]);
      t.teardown(() => second.stop());
    }
    t.deepEqual(await ended, [0, null]);
    t.regex(output, /^going on from what is stored: /m);
    t.regex(output, /^step 300: loss /m);

    const other = await startDaemon();
    t.teardown(() => other.stop());
    t.notRegex((await runProgram(t, 'docs/faults.md', other)).output, /going on/);
    const [disturbed, undisturbed] = await Promise.all([models, other.models].map((path) => readFile(join(path, 'trained.safetensors'))));
    t.true(disturbed?.equals(undisturbed ?? Buffer.alloc(0)));
  });
}

test('the Python program of docs/images.md stores images, and trains on their names', async (t) => {
  const daemon = await startDaemon();
  t.teardown(() => daemon.stop());
  const folder = await temporaryFolder(t, tmpdir());
  const python = `${ROOT}.venv/bin/python`;
  const protos = (await readdir(`${ROOT}proto/dlclassifier/v1`)).map((name) => `dlclassifier/v1/${name}`);
  const generate = ['-m', 'grpc_tools.protoc', '-I', `${ROOT}proto`, `--python_out=${folder}`, `--grpc_python_out=${folder}`, ...protos];
  await run(python, generate);
  await writeFile(join(folder, 'stored.py'), at(daemon.address, await block('docs/images.md', 'python', 'PutImages')));
  // Twice: the second time nothing is missing.
  for (let time = 0; time < 2; time++) {
    const { stdout } = await run(python, ['stored.py'], { cwd: folder });
    t.regex(stdout, /^(\d+ \d\.\d+\n){10}$/);
  }
  const stored = (await readdir(join(daemon.models, 'images'), { recursive: true })).filter((name) => name.endsWith('.uint8-32x32x1'));
  t.is(stored.length, 2);
});

test("the commands of docs/weights.md bring torchvision's weights to the daemon, and back into torchvision", async (t) => {
  const daemon = await startDaemon();
  t.teardown(() => daemon.stop());
  const folder = await temporaryFolder(t, tmpdir());
  const python = `${ROOT}.venv/bin/python`;
  // The tests' torchvision may lack its compiled operators, and nothing is downloaded.
  const environment = { ...process.env, PYTHONPATH: `${ROOT}test/python` };
  const inPython = (program: string) => run(python, ['-c', `import torchvision_networks\n${program}`], { cwd: folder, env: environment });
  const dlc = (line: string) => {
    const args = [...['--import', import.meta.resolve('tsx')], `${ROOT}client/command_line/main.ts`, '--server', daemon.address];
    return run(process.execPath, [...args, ...line.replace(/^npx dlc /, '').split(' ')], { cwd: folder });
  };
  const [save = '', bring = ''] = (await block('docs/weights.md', 'sh', 'torchvision.models')).trim().split('\n');
  const [, program = ''] = /^python3 -c "(.*)"$/.exec(save) ?? [];
  t.true(program.includes("weights='DEFAULT'"));
  await inPython(program.replace("weights='DEFAULT'", 'weights=None'));
  t.regex((await dlc(bring)).stdout, /^stored pretrained\/resnet50.safetensors/);

  const three =
    "import torchvision.models as m, safetensors.torch as s; s.save_file(m.resnet18(num_classes=3).state_dict(), 'mine.safetensors')";
  await inPython(three);
  t.regex(
    (await dlc((await block('docs/weights.md', 'sh', '--name')).trim())).stdout,
    /^stored parts.safetensors .*: 102 tensors of resnet18\n$/,
  );
  await dlc((await block('docs/weights.md', 'sh', '--safetensors')).trim());
  await t.notThrowsAsync(inPython(await block('docs/weights.md', 'python', 'strict=True')));
});

test('the Python program of the README learns with stubs made by the command that it gives', async (t) => {
  const daemon = await startDaemon();
  t.teardown(() => daemon.stop());
  const folder = await temporaryFolder(t, tmpdir());
  const command = (await block('README.md', 'sh', 'grpc_tools.protoc'))
    .trim()
    .replace(/^python /, '"$PYTHON" ')
    .replaceAll('_out=.', '_out="$FOLDER"');
  const python = `${ROOT}.venv/bin/python`;
  await run('/bin/sh', ['-c', command], { cwd: ROOT, env: { ...process.env, PYTHON: python, FOLDER: folder } });
  await writeFile(join(folder, 'first.py'), at(daemon.address, await block('README.md', 'python', 'TrainBatch')));

  const { stdout } = await run(python, ['first.py'], { cwd: folder });
  const steps = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
  t.deepEqual(
    steps.map(([step]) => step),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  const losses = steps.map(([, loss]) => loss ?? Number.NaN);
  t.true((losses.at(-1) ?? Number.NaN) < (losses[0] ?? Number.NaN), `losses ${losses.join(', ')}`);
});
