import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const RUNNER = `${ROOT}scripts/test.ts`;

interface Outcome {
  readonly status: number;
  readonly lastLine: string;
}

/** Runs the test runner with a folder as its project. */
async function runTests(step: string, cwd: string, CI = ''): Promise<Outcome> {
  const { status, lastLine } = await runAndRead(step, cwd, CI);
  return { status, lastLine };
}

function runAndRead(step: string, cwd: string, CI: string): Promise<Outcome & { readonly output: string }> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, CI } };
    execFile(process.execPath, ['--import', import.meta.resolve('tsx'), RUNNER, step], options, (error, output) => {
      const status = typeof error?.code === 'number' ? error.code : error ? 1 : 0;
      resolve({ status, lastLine: output.trimEnd().split('\n').at(-1) ?? '', output });
    });
  });
}

/** A project of these files, with our node_modules. */
async function project(t: ExecutionContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'project-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await symlink(`${ROOT}node_modules`, join(folder, 'node_modules'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

const manifest = { 'package.json': JSON.stringify({ type: 'module', ava: { files: ['test/*.js'], workerThreads: false } }) };
const passing = "import test from 'ava';\ntest('right', (t) => t.pass());\ntest('also right', (t) => t.pass());\n";

test('passing tests are counted, and the status is 0', async (t) => {
  const folder = await project(t, { ...manifest, 'test/1.js': passing });
  t.deepEqual(await runTests('ava', folder), { status: 0, lastLine: '2 passed, 0 failed' });
});

test('a failing test is counted, a skipped one is not, and the status is 1', async (t) => {
  const mixed = `${passing}test('wrong', (t) => t.fail());\ntest.skip('not run', (t) => t.fail());\n`;
  const folder = await project(t, { ...manifest, 'test/1.js': mixed });
  t.deepEqual(await runTests('ava', folder), { status: 1, lastLine: '2 passed, 1 failed' });
});

test('with CI=true a file with a failed test runs once more, and what failed is told', async (t) => {
  const ava = {
    files: ['test/*.ts'],
    extensions: { ts: 'module' },
    nodeArguments: ['--import', import.meta.resolve('tsx')],
    workerThreads: false,
  };
  const folder = await project(t, {
    'package.json': JSON.stringify({ type: 'module', ava }),
    'test/1-steady.ts': passing,
    'test/2-unsteady.ts':
      "import { existsSync, writeFileSync } from 'node:fs';\nimport test from 'ava';\n" +
      "test('once wrong', (t) => { const seen = existsSync('seen'); writeFileSync('seen', ''); t.true(seen); });\n",
  });
  const unsteady = await runAndRead('ava', folder, 'true');
  t.deepEqual({ status: unsteady.status, lastLine: unsteady.lastLine }, { status: 0, lastLine: '3 passed, 0 failed' });
  t.regex(unsteady.output, /failed the first time: 2-unsteady › once wrong/);

  await rm(join(folder, 'seen'));
  t.deepEqual(await runTests('ava', folder), { status: 1, lastLine: '2 passed, 1 failed' });

  await writeFile(join(folder, 'test/3-wrong.ts'), "import test from 'ava';\ntest('wrong', (t) => t.fail());\n");
  const wrong = await runAndRead('ava', folder, 'true');
  t.deepEqual({ status: wrong.status, lastLine: wrong.lastLine }, { status: 1, lastLine: '3 passed, 1 failed' });
  t.regex(wrong.output, /failed again: wrong/);
});

test('a file of tests that ends its process is a failure', async (t) => {
  const folder = await project(t, { ...manifest, 'test/1.js': passing, 'test/2.js': 'process.exit(0);\n' });
  const { status, lastLine } = await runTests('ava', folder);
  t.is(status, 1);
  t.regex(lastLine, /^2 passed, [1-9]\d* failed$/);
});

test('a run without any test is a failure', async (t) => {
  const folder = await project(t, manifest);
  t.deepEqual(await runTests('ava', folder), { status: 1, lastLine: '0 passed, 1 failed' });
});

test("the engine's tests are counted by what doctest says, and a crash is a failure", async (t) => {
  const cases = (last: string): string =>
    '#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN\n#include <cstdlib>\n#include <doctest/doctest.h>\n' +
    `TEST_CASE("right") { CHECK(1 == 1); }\nTEST_CASE("wrong") { ${last} }\n`;
  const cmake =
    'cmake_minimum_required(VERSION 3.25)\nproject(counted CXX)\nadd_executable(dl_engine_test test.cpp)\n' +
    'set_target_properties(dl_engine_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "$' +
    '{CMAKE_BINARY_DIR}/native/test")\nadd_custom_target(dl_native_tests DEPENDS dl_engine_test)\n';
  const folder = await project(t, { 'CMakeLists.txt': cmake, 'test.cpp': cases('CHECK(1 == 2);') });
  await promisify(execFile)('cmake', ['-S', folder, '-B', join(folder, 'build')]);
  t.deepEqual(await runTests('native', folder), { status: 1, lastLine: '1 passed, 1 failed' });

  await writeFile(join(folder, 'test.cpp'), cases('std::_Exit(0);'));
  t.deepEqual(await runTests('native', folder), { status: 1, lastLine: '0 passed, 1 failed' });
});

test('tests of an unknown name are refused', async (t) => {
  t.is((await runTests('everything', ROOT)).status, 2);
});
