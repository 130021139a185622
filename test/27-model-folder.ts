import { constants } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { Refusal } from '../server/errors/refusal.js';
import { compact } from '../server/networks/compact.js';
import { parseFileName } from '../server/networks/index.js';
import { resnet18 } from '../server/networks/resnet18.js';
import { defaultSettings } from '../server/parameters/settings.js';
import { serializeClassifier } from '../server/store/classifier_file.js';
import { removeLeftovers, writeDurably } from '../server/store/durable_write.js';
import { fileNamesToRead, fileNameToWrite } from '../server/store/file_name.js';
import { ModelFolder } from '../server/store/model_folder.js';
import { encodeHeader, type TensorEntry } from '../server/store/safetensors.js';
import { listStoredClassifiers } from '../server/store/stored_classifiers.js';
import { readPretrainedWeights } from '../server/weights/pretrained.js';

const test = anyTest as TestFn<{ path: string; folder: ModelFolder }>;

test.beforeEach(async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'dl-classifier-folder-'));
  t.context = { path, folder: new ModelFolder(path) };
});

test.afterEach.always(async (t) => {
  await rm(t.context.path, { recursive: true, force: true });
});

const parts = (text: string) => ({ parts: [Buffer.from(text)], totalBytes: text.length });

async function refusalOf(action: () => unknown): Promise<Refusal> {
  try {
    await action();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('what is written is read, under its name with and without the ending', async (t) => {
  const { folder, path } = t.context;
  t.is(await folder.write('best', parts('one')), 'best.safetensors');
  for (const name of ['best', 'best.safetensors']) {
    const { fileName, bytes } = await folder.read(name);
    t.is(fileName, 'best.safetensors');
    t.is(Buffer.from(bytes).toString(), 'one');
  }
  await folder.write('best.safetensors', parts('two'));
  t.is(await readFile(join(path, 'best.safetensors'), 'utf8'), 'two');
  t.deepEqual(await readdir(path), ['best.safetensors']);
});

test('names as scripts for HALCON write them are kept', async (t) => {
  t.is(await t.context.folder.write('classifier.hdl', parts('x')), 'classifier.hdl');
  t.is((await t.context.folder.read('classifier.hdl')).fileName, 'classifier.hdl');
});

for (const [name, instead] of [
  ['compact', 'my-compact'],
  ['resnet18', 'my-resnet18'],
  ['pretrained_dl_classifier_compact', 'my-compact'],
  ['pretrained_dl_classifier_compact.hdl', 'my-compact'],
  ['pretrained_dl_classifier_mine', 'my-mine'],
  ['pretrained_dl_classifier_mine.hdl', 'my-mine'],
  ['pretrained_dl_classifier_mine.safetensors', 'my-mine.safetensors'],
] as const) {
  test(`${name} would be read as a network: nothing is stored under it`, async (t) => {
    const refusal = await refusalOf(() => t.context.folder.write(name, parts('x')));
    t.is(refusal.number, 1303);
    t.true(refusal.message.includes(`such as "${instead}"`), refusal.message);
    t.deepEqual(await readdir(t.context.path), []);
    t.is(parseFileName(instead).kind, 'stored');
  });
}

test("names that only resemble a network's are allowed", (t) => {
  for (const name of ['compact.safetensors', 'compact.hdl', 'compact2', 'my_pretrained_dl_classifier_x.hdl']) {
    t.is(parseFileName(name).kind, 'stored');
    t.notThrows(() => fileNameToWrite(name));
  }
});

for (const name of ['', '.', '..', '.safetensors', '../x', 'a/b', '/etc/passwd', '.hidden', 'a\0b', 'a b', 'ä', 'x'.repeat(129)]) {
  test(`${JSON.stringify(name.slice(0, 20))} is no file name`, async (t) => {
    const write = await refusalOf(() => fileNameToWrite(name));
    t.is(write.number, 1303);
    t.is(write.metadata.name, 'file_name');
    t.is((await refusalOf(() => fileNamesToRead(name))).number, 5200);
    t.is((await refusalOf(() => t.context.folder.write(name, parts('x')))).number, 1303);
    t.deepEqual(await readdir(t.context.path), []);
  });
}

test('the longest name is allowed', (t) => {
  t.is(fileNameToWrite('x'.repeat(128)), `${'x'.repeat(128)}.safetensors`);
  t.is(fileNameToWrite('A-z_0.9'), 'A-z_0.9.safetensors');
  const whole = `${'x'.repeat(128)}.safetensors`;
  t.is(fileNameToWrite(whole), whole);
  t.deepEqual(fileNamesToRead(whole), [whole]);
});

test('a file that is not there, a folder and a pipe are not found', async (t) => {
  const { folder, path } = t.context;
  await mkdir(join(path, 'folder.safetensors'));
  execFileSync('mkfifo', [join(path, 'pipe.safetensors')]);
  for (const name of ['nothing', 'folder', 'pipe']) t.is((await refusalOf(() => folder.read(name))).reason, 'FILE_NOT_FOUND');
});

test('a file beyond what can be read at once is refused before it is read', async (t) => {
  const { folder, path } = t.context;
  await writeFile(join(path, 'huge.safetensors'), '');
  await truncate(join(path, 'huge.safetensors'), constants.MAX_LENGTH + 1);
  t.is((await refusalOf(() => folder.read('huge'))).reason, 'FILE_NOT_OURS');
});

test('what could not be read again is refused, and the old file stays', async (t) => {
  const { folder, path } = t.context;
  await folder.write('a', parts('old'));
  const totalBytes = constants.MAX_LENGTH + 1;
  const huge = { parts: [Buffer.from('new')], totalBytes };
  t.like(await refusalOf(() => folder.write('a', huge)), {
    reason: 'LIMIT_EXCEEDED',
    metadata: { limit: 'stored_file_bytes', got: String(totalBytes), maximum: String(constants.MAX_LENGTH) },
  });
  t.regex((await refusalOf(() => folder.write('a', huge))).message, /fewer classes, smaller images/);
  t.is((await refusalOf(() => folder.writePretrained('resnet18.safetensors', huge))).reason, 'LIMIT_EXCEEDED');
  t.is(await readFile(join(path, 'a.safetensors'), 'utf8'), 'old');
  t.deepEqual(await readdir(path), ['a.safetensors']);
});

test.serial('a file beyond 2 GiB is read whole', async (t) => {
  const { folder, path } = t.context;
  const size = 2 ** 31 + 5;
  const file = join(path, 'large.safetensors');
  await writeFile(file, 'beginning');
  // With a hole in it, so that it takes no room on the disk.
  await truncate(file, size - 3);
  await appendFile(file, 'end');
  const { bytes } = await folder.read('large');
  t.is(bytes.byteLength, size);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, size);
  t.is(text.toString('latin1', 0, 9), 'beginning');
  t.is(text.toString('latin1', size - 4), '\0end');
});

test('a file that cannot be written is refused, and leaves nothing', async (t) => {
  const { folder, path } = t.context;
  // A folder of that name cannot be replaced by a file, whoever asks.
  await mkdir(join(path, 'taken.safetensors', 'inside'), { recursive: true });
  const refusal = await refusalOf(() => folder.write('taken', parts('x')));
  t.is(refusal.reason, 'FILE_NOT_WRITABLE');
  t.is(refusal.metadata.file_name, 'taken.safetensors');
  t.regex(refusal.metadata.problem ?? '', /^E[A-Z]+$/);
  t.deepEqual(await readdir(path), ['taken.safetensors']);
});

test('a write that fails leaves the old file', async (t) => {
  const { path } = t.context;
  const file = join(path, 'a.safetensors');
  await writeFile(file, 'old');
  const failing = [Buffer.from('new'), { byteLength: 1 } as Uint8Array];
  await t.throwsAsync(writeDurably(file, failing));
  t.is(await readFile(file, 'utf8'), 'old');
  t.deepEqual(await readdir(path), ['a.safetensors']);
});

/** The kernel takes the first MiB of the new file and refuses the rest, as a full disk does. */
test('a file that finds no room is refused, and leaves the old one and nothing else', async (t) => {
  const { folder, path } = t.context;
  await folder.write('a', parts('old'));
  const program = `
    import { ModelFolder } from ${JSON.stringify(new URL('../server/store/model_folder.ts', import.meta.url).href)};
    const large = [new Uint8Array(1 << 19), new Uint8Array(1 << 22)];
    const folder = new ModelFolder(${JSON.stringify(path)});
    await folder.write('a', { parts: large, totalBytes: 0 }).catch(({ reason, metadata }) => console.log(reason, metadata.problem));
  `;
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program];
  // In blocks of 512 or 1024 bytes, as the shell counts.
  const output = execFileSync('sh', ['-c', 'ulimit -f 1024; exec "$@"', 'sh', ...node], { encoding: 'utf8' });
  t.is(output, 'FILE_NOT_WRITABLE EFBIG\n');
  t.is(await readFile(join(path, 'a.safetensors'), 'utf8'), 'old');
  t.deepEqual(await readdir(path), ['a.safetensors']);
});

test('what a killed daemon left beside the trained weights is removed, too', async (t) => {
  const { folder, path } = t.context;
  t.is(await folder.tidy(), 0, 'there is no folder of trained weights yet');
  const names = ['.00112233445566aa.partial', '.00112233445566bb.partial', 'resnet18.safetensors'];
  const pretrained = join(path, 'pretrained');
  await mkdir(pretrained);
  for (const name of names) await writeFile(join(pretrained, name), 'x');
  await writeFile(join(path, '.00112233445566cc.partial'), 'x');
  const yesterday = Date.now() / 1000 - 25 * 60 * 60;
  const old = [join(pretrained, names[0] ?? ''), join(pretrained, names[2] ?? ''), join(path, '.00112233445566cc.partial')];
  for (const file of old) await utimes(file, yesterday, yesterday);
  t.is(await folder.tidy(), 2);
  t.deepEqual((await readdir(pretrained)).sort(), names.slice(1));
  t.deepEqual(await readdir(path), ['pretrained']);
});

test('what a killed daemon left is removed after a day, and nothing else', async (t) => {
  const { path } = t.context;
  const [old, young] = ['.00112233445566aa.partial', '.00112233445566bb.partial'];
  for (const name of [old, young, '.mine.partial', 'a.safetensors']) await writeFile(join(path, name), 'x');
  const yesterday = Date.now() / 1000 - 25 * 60 * 60;
  for (const name of [old, '.mine.partial', 'a.safetensors']) await utimes(join(path, name), yesterday, yesterday);
  t.is(await removeLeftovers(path), 1);
  t.deepEqual((await readdir(path)).sort(), [young, '.mine.partial', 'a.safetensors'].sort());
});

test('the file and the folder are synced before the write counts', (t) => {
  const { path } = t.context;
  const program = `
    import { removeLeftovers, writeDurably } from ${JSON.stringify(new URL('../server/store/durable_write.ts', import.meta.url).href)};
    import { open } from 'node:fs/promises';
    const prototype = Object.getPrototypeOf(await open('/dev/null'));
    for (const name of ['writeFile', 'sync']) {
      const original = prototype[name];
      prototype[name] = function (...args) { console.log(name); return original.apply(this, args); };
    }
    await writeDurably(${JSON.stringify(join(path, 'a.safetensors'))}, [Buffer.from('a'), Buffer.from('b')]);
  `;
  const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], { encoding: 'utf8' });
  t.deepEqual(output.trim().split('\n'), ['writeFile', 'writeFile', 'sync', 'sync']);
});

/** Stands for a file system that answers fsync of a folder in this way. */
function writeWithFolderSync(path: string, code: string): string {
  const program = `
    import { ModelFolder } from ${JSON.stringify(new URL('../server/store/model_folder.ts', import.meta.url).href)};
    import { open } from 'node:fs/promises';
    const prototype = Object.getPrototypeOf(await open('/dev/null'));
    const { sync } = prototype;
    prototype.sync = async function () {
      if ((await this.stat()).isDirectory()) throw Object.assign(new Error('no'), { code: ${JSON.stringify(code)} });
      return sync.apply(this);
    };
    const folder = new ModelFolder(${JSON.stringify(path)});
    try {
      console.log(await folder.write('a', { parts: [Buffer.from('new')], totalBytes: 3 }));
    } catch ({ reason, metadata, message }) {
      console.log(reason, metadata.problem, metadata.replaced, message);
    }
  `;
  return execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], { encoding: 'utf8' }).trim();
}

for (const code of ['EINVAL', 'ENOTSUP', 'EBADF', 'EPERM']) {
  test(`a file system that cannot synchronise a folder (${code}) stores all the same`, async (t) => {
    const { folder, path } = t.context;
    await folder.write('a', parts('old'));
    t.is(writeWithFolderSync(path, code), 'a.safetensors');
    t.is(await readFile(join(path, 'a.safetensors'), 'utf8'), 'new');
  });
}

test('a folder that fails to be synchronised is told with what became of the file', async (t) => {
  const { folder, path } = t.context;
  await folder.write('a', parts('old'));
  t.regex(
    writeWithFolderSync(path, 'EIO'),
    /^FILE_NOT_WRITABLE EIO true .*has replaced a file of that name.*may not survive a loss of power/,
  );
  t.is(await readFile(join(path, 'a.safetensors'), 'utf8'), 'new');
  t.deepEqual(await readdir(path), ['a.safetensors']);
});

test('the list tells what can be read, and why the rest cannot', async (t) => {
  const { folder, path } = t.context;
  const settings = { ...defaultSettings(compact), classes: ['a', 'b', 'c'] };
  const serialized = await serializeClassifier({ network: compact, settings, step: 7, seed: 1n, tensors: [] });
  await folder.write('good', serialized);
  await utimes(join(path, 'good.safetensors'), 1000, 1000);
  await writeFile(join(path, 'old.hdl'), 'of HALCON');
  await writeFile(join(path, 'cut.safetensors'), Buffer.concat(serialized.parts).subarray(0, 300));
  await writeFile(join(path, 'notes.txt'), 'not listed');
  await writeFile(join(path, '.partial.safetensors'), 'not listed');
  await mkdir(join(path, 'folder.safetensors'));
  await symlink('nowhere', join(path, 'dangling.safetensors'));
  const listed = await listStoredClassifiers(folder, ['float32']);
  t.deepEqual(
    listed.map(({ fileName, type, classCount, step }) => [fileName, type, classCount, step]),
    [
      ['cut.safetensors', '', 0, 0],
      ['good.safetensors', 'compact', 3, 7],
      ['old.hdl', '', 0, 0],
    ],
  );
  const [cut, good, old] = listed;
  t.regex(cut?.problem ?? '', /is damaged: its header claims/);
  t.is(good?.problem, '');
  t.is(good?.bytes, serialized.totalBytes);
  t.is(good?.modified.getTime(), 1_000_000);
  t.regex(old?.problem ?? '', /closed format/);
});

const source = resnet18.pretrained ?? fail();

function fail(): never {
  throw new Error('resnet18 has no trained weights');
}

async function putPretrained(path: string, tensors: readonly TensorEntry[]): Promise<void> {
  await mkdir(join(path, 'pretrained'));
  await writeFile(
    join(path, 'pretrained', source.fileName),
    Buffer.concat([encodeHeader(new Map(), tensors), ...tensors.map(({ data }) => data)]),
  );
}

test('trained weights that are not there are refused with the file and how to get it', async (t) => {
  const refusal = await refusalOf(() => readPretrainedWeights(t.context.folder, 'resnet18', source));
  t.is(refusal.number, 5200);
  t.is(refusal.metadata.file_name, 'resnet18');
  t.regex(refusal.message, /pretrained\/resnet18\.safetensors.*torchvision.*pretrained = false/);
  t.false(await t.context.folder.hasPretrained(source.fileName));
});

test('trained weights are read without the counts of batches', async (t) => {
  const { folder, path } = t.context;
  await putPretrained(path, [
    { name: 'bn1.num_batches_tracked', dtype: 'I64', shape: [], data: new Uint8Array(8) },
    { name: 'bn1.weight', dtype: 'F32', shape: [2], data: new Uint8Array(Float32Array.of(1, 2).buffer) },
  ]);
  t.true(await folder.hasPretrained(source.fileName));
  const bytes = Buffer.from(Float32Array.of(1, 2).buffer);
  t.deepEqual(await readPretrainedWeights(folder, 'resnet18', source), [{ name: 'bn1.weight', dtype: 'F32', shape: [2], bytes }]);
});

test('trained weights that are no safetensors file are refused with how to get them', async (t) => {
  const { folder, path } = t.context;
  await putPretrained(path, [{ name: 'bn1.weight', dtype: 'F32', shape: [2], data: new Uint8Array(7) }]);
  const refusal = await refusalOf(() => readPretrainedWeights(folder, 'resnet18', source));
  t.is(refusal.reason, 'FILE_NOT_OURS');
  t.regex(refusal.message, /pretrained\/resnet18\.safetensors.*"bn1.weight" has 7 bytes.*torchvision.*dlc import/);
});
