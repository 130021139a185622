import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { AddonLoadError, engineBinding, loadAddon } from '../native/index.js';
import { withThreadWaiting } from '../native/thread_waiting.js';
import { makeEngine } from './support/engine.js';

async function loadFailure(contents: string | null, name = 'dl_engine_addon.node'): Promise<AddonLoadError> {
  const folder = await mkdtemp(join(tmpdir(), 'addon-'));
  const file = join(folder, name);
  if (contents !== null) await writeFile(file, contents);
  try {
    loadAddon(file, '1.2.3');
  } catch (error) {
    if (error instanceof AddonLoadError) return error;
    throw error;
  } finally {
    await rm(folder, { recursive: true });
  }
  throw new Error('the addon was loaded');
}

test('the addon is loaded once', (t) => {
  t.is(engineBinding(), engineBinding());
  t.deepEqual(Object.keys(engineBinding()).sort(), [
    'Engine',
    'ImageTable',
    'ImageWorkers',
    'Model',
    'StagingBuffer',
    'exitAtOnce',
    'gpus',
    'version',
  ]);
});

test('the engine tells its processor, threads, memory, precisions and libraries', async (t) => {
  const engine = makeEngine();
  const { deviceName, threads, memoryBytes, precisions, libraries, instructionSet } = engine.info;
  t.is(threads, 2);
  t.true(deviceName.length > 0);
  t.true(memoryBytes > 2 ** 28);
  t.true(precisions.includes('float32'));
  t.true(libraries.length > 0);
  t.true(instructionSet.length > 0);
  await engine.close();
});

test('an addon that was not built is named with the command that builds it', async (t) => {
  const error = await loadFailure(null);
  t.regex(error.message, /dl_engine_addon\.node has not been built/);
  t.regex(error.message, /npm run build:native/);
});

test('a damaged addon is named with the cause and the command', async (t) => {
  const error = await loadFailure('not a shared object');
  t.regex(error.message, /cannot be loaded: .*(file too short|invalid ELF header)/);
  t.regex(error.message, /npm run build:native/);
});

test('an addon of another version is refused', async (t) => {
  const error = await loadFailure('exports.version = "1.0.0";', 'addon.cjs');
  t.regex(error.message, /was built for version 1\.0\.0 of this package, which is 1\.2\.3/);
  t.regex(error.message, /npm run build:native/);
});

test('an addon that lacks a method was built from other sources', async (t) => {
  const classes = 'class Engine { get info() {} planMemory() {} close() {} }; class StagingBuffer { write() {} close() {} }';
  const error = await loadFailure(`${classes}; module.exports = { version: "1.2.3", Engine, StagingBuffer };`, 'addon.cjs');
  t.regex(error.message, /it has no StagingBuffer\.byteLength/);
});

test.serial('the threads soon sleep when they wait: the variable is set for the load alone', (t) => {
  const { OMP_WAIT_POLICY, GOMP_SPINCOUNT, ...others } = process.env;
  process.env = others;
  t.is(
    withThreadWaiting(() => process.env.GOMP_SPINCOUNT),
    '2000',
  );
  t.deepEqual(process.env, others);
  process.env = { ...others, ...(OMP_WAIT_POLICY && { OMP_WAIT_POLICY }), ...(GOMP_SPINCOUNT && { GOMP_SPINCOUNT }) };
});

test.serial("the user's own waiting policy stays", (t) => {
  for (const [name, value] of [
    ['OMP_WAIT_POLICY', 'active'],
    ['GOMP_SPINCOUNT', '1000'],
  ] as const) {
    const before = { ...process.env };
    process.env[name] = value;
    t.deepEqual(
      withThreadWaiting(() => ({ ...process.env })),
      { ...before, [name]: value },
    );
    t.is(process.env[name], value);
    delete process.env[name];
  }
});
