/** dlc: what it prints, its exit codes, and files in and out. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { testWithDaemon } from './support/client.js';
import { dlc } from './support/dlc.js';
import { runProgram } from './support/program.js';
import { tensorsIn } from './support/tensors_in.js';
import { constant, tensorFile } from './support/weight_files.js';

const test = testWithDaemon();

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dlc-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

for (const [title, args, problem] of [
  ['no command', [], /^Usage: dlc/],
  ['an unknown command', ['frobnicate'], /^error: unknown command 'frobnicate'$/],
  ['an unknown option', ['list', '--all'], /^error: unknown option '--all'$/],
  ['an import without a network', ['import', 'x.safetensors'], /required option '--as <network>'/],
  ['an import without a file', ['import', '--as', 'resnet18'], /missing required argument 'file'/],
  ['an empty class name', ['import', 'x', '--as', 'resnet18', '--name', 'x', '--classes', 'a,,b'], /none of them empty/],
  ['a size that is none', ['import', 'x', '--as', 'enhanced', '--size', '96x'], /one number above 0 for both or WIDTHxHEIGHT/],
  ['an empty name', ['import', 'x', '--as', 'resnet18', '--name', ''], /Give a name, or leave --name out/],
  ['a size of nothing', ['import', 'x', '--as', 'enhanced', '--size', '0'], /one number above 0 for both/],
  ['a seed that is none', ['import', 'x', '--as', 'resnet18', '--seed', '-1'], /Give an integer/],
  ['an export to nowhere', ['export', 'compact'], /name a file with --onnx, with --safetensors or with both/],
  ['unknown pixels', ['export', 'compact', '--onnx', 'x', '--pixels', 'int8'], /Allowed choices are uint8, float32/],
] as const) {
  test(`${title} ends with 2 and says so`, async (t) => {
    const { exitCode, stdout, stderr } = await dlc(t.context.daemon.address, ...args);
    t.is(exitCode, 2);
    t.is(stdout, '');
    t.regex(stderr, new RegExp(problem.source, 'm'));
  });
}

test('--help tells commands and options, and ends with 0', async (t) => {
  const [help, ofImport] = [await dlc(t.context.daemon.address, '--help'), await dlc(t.context.daemon.address, 'import', '--help')];
  t.deepEqual([help.exitCode, ofImport.exitCode], [0, 0]);
  for (const command of ['import', 'export', 'list', 'describe', 'info']) t.regex(help.stdout, new RegExp(`^  ${command} `, 'm'));
  t.regex(ofImport.stdout, /--as <network>[\s\S]*--server <address>/);
});

test('as a program it writes to stdout and stderr and ends with its exit code', async (t) => {
  const run = (...args: string[]) => runProgram('../../client/command_line/main.ts', args);
  const [version, list, usage] = await Promise.all([
    run('--version'),
    run('list', '--server', t.context.daemon.address, '--json'),
    run('list', 'all'),
  ]);
  t.is(version.exitCode, 0);
  t.regex(version.stdout, /^\d+\.\d+\.\d+\n$/);
  t.is(list.exitCode, 0, list.stderr);
  t.true(Array.isArray((JSON.parse(list.stdout) as { stored: unknown }).stored));
  t.deepEqual([usage.exitCode, usage.stdout], [2, '']);
  t.regex(usage.stderr, /too many arguments/);
});

test('without a daemon it ends with 1 and names the address', async (t) => {
  const { exitCode, stderr } = await dlc('127.0.0.1:1', 'list');
  t.is(exitCode, 1);
  t.regex(stderr, /^dlc: nothing answers at 127\.0\.0\.1:1/);
});

test('an address or TLS files that are none end with 1 and one line', async (t) => {
  const file = join(await temporaryFolder(t), 'no.pem');
  await writeFile(file, 'this is no certificate');
  const address = await dlc('', 'list');
  t.deepEqual([address.exitCode, address.stdout], [1, '']);
  t.regex(address.stderr, /^dlc: no connection to '': .*\n$/);
  const tls = await dlc(t.context.daemon.address, 'list', '--tls-certificate', file, '--tls-key', file);
  t.deepEqual([tls.exitCode, tls.stdout], [1, '']);
  t.regex(tls.stderr, /^dlc: no connection to .*, with the TLS files that were given: .*\n$/);
});

test('a refusal ends with 1; with --json it is an object on stderr', async (t) => {
  const { address } = t.context.daemon;
  const args = ['export', 'resnet50', '--onnx', join(await temporaryFolder(t), 'x.onnx')];
  const [text, json] = await Promise.all([dlc(address, ...args), dlc(address, ...args, '--json')]);
  t.deepEqual([text.exitCode, text.stdout, json.exitCode, json.stdout], [1, '', 1, '']);
  t.regex(
    text.stderr,
    /^dlc: "resnet50".*pretrained\/resnet50\.safetensors.*m\.resnet50\(.*dlc import resnet50\.safetensors --as resnet50.*\n$/,
  );
  const { error } = JSON.parse(json.stderr) as { error: Record<string, unknown> };
  t.like(error, { reason: 'FILE_NOT_FOUND', number: 5200, retryable: false });
});

test('weights that do not fit are told tensor by tensor', async (t) => {
  const file = join(await temporaryFolder(t), 'wrong.safetensors');
  await writeFile(file, tensorFile([constant('fc.bias', [1000]), constant('fc.weight', [1000, 100]), constant('stem.0.weight', [1])]));
  const { exitCode, stderr } = await dlc(t.context.daemon.address, 'import', file, '--as', 'resnet18');
  t.is(exitCode, 1);
  t.regex(stderr, /^dlc: "wrong\.safetensors" does not hold the weights of resnet18: 100 tensors are missing/);
  t.regex(stderr, /\nmissing:\n {2}conv1\.weight\n {2}bn1\.\{weight,bias,running_mean,running_var\}\n/);
  t.regex(stderr, /\nmisshapen:\n {2}fc\.weight: 1000x100 instead of 1000x512\nextra:\n {2}stem\.0\.weight\n$/);
});

test('a file that cannot be read or written ends with 1', async (t) => {
  const { address } = t.context.daemon;
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'taken'));
  const ends = await Promise.all([
    dlc(address, 'import', join(folder, 'absent'), '--as', 'resnet18'),
    dlc(address, 'import', folder, '--as', 'resnet18'),
    dlc(address, 'export', 'compact', '--onnx', join(folder, 'taken')),
    dlc(address, 'export', 'compact', '--onnx', join(folder, 'absent', 'x.onnx')),
  ]);
  t.deepEqual(
    ends.map(({ exitCode }) => exitCode),
    [1, 1, 1, 1],
  );
  for (const [index, problem] of [
    /there is no such file/,
    /it is a folder/,
    /cannot be written: EISDIR/,
    /cannot be written: ENOENT/,
  ].entries()) {
    t.regex(ends[index]?.stderr ?? '', problem);
  }
  t.deepEqual(await readdir(folder), ['taken']);
});

test('weights go in, are listed and described, and come out', async (t) => {
  const { client, daemon } = t.context;
  const { address } = daemon;
  const folder = await temporaryFolder(t);
  const [weights, out, model] = ['weights.safetensors', 'out.safetensors', 'model.onnx'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await using source = await client.readClassifier('compact', { seed: 2 });
  await source.setParam({ classes: ['x', 'y'] });
  await writeFile(weights, await source.exportSafetensors());

  const imported = await dlc(
    address,
    'import',
    weights,
    '--as',
    'compact',
    '--name',
    'mine',
    '--classes',
    'good, bad, ugly',
    '--size',
    '64x224',
    '--seed',
    '1',
  );
  t.is(imported.exitCode, 0, imported.stderr);
  t.regex(imported.stdout, /^stored mine\.safetensors \(.* MiB\): \d+ tensors of compact\n/);
  t.regex(imported.stdout, /\nclassifier is initialised anew: the file has 2 classes, the network 3\n$/);

  const [list, listed, described, info] = await Promise.all([
    dlc(address, 'list'),
    dlc(address, 'list', '--json'),
    dlc(address, 'describe', 'mine'),
    dlc(address, 'info'),
  ]);
  t.regex(list.stdout, /^mine\.safetensors +compact +3 +0 +\d+\.\d MiB$/m);
  const [stored = {}] = (JSON.parse(listed.stdout) as { stored: object[] }).stored;
  t.like(stored, {
    fileName: 'mine.safetensors',
    type: 'compact',
    classCount: 3,
    step: 0,
  });
  t.regex(list.stdout, /^open +state +step +since +memory +device\n(?:.*\n)*compact +ready +0 +\S+ +\d+\.\d MiB +cpu 0$/m);
  t.regex(described.stdout, /^classifier +convolution +3 x 14 x 4 +387$/m);
  t.regex(described.stdout, /^classes +\["good","bad","ugly"\]$/m);
  t.regex(info.stdout, /^resnet50 +32 x 32 +no /m);

  const exported = await dlc(address, 'export', 'mine', '--safetensors', out, '--onnx', model, '--json');
  t.is(exported.exitCode, 0, exported.stderr);
  const { files } = JSON.parse(exported.stdout) as { files: { file: string; sizeBytes: number }[] };
  t.deepEqual(files.map(({ file }) => file).sort(), [model, out].sort());
  const bytes = await readFile(out);
  t.deepEqual(files.find(({ file }) => file === out)?.sizeBytes, bytes.length);
  t.is(tensorsIn(bytes).get('classifier.bias')?.length, 3);
  t.deepEqual((await readdir(folder)).sort(), ['model.onnx', 'out.safetensors', 'weights.safetensors']);
});
