import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const NOBODY = 65534;

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  file: string,
  args: readonly string[],
  options: { uid?: number; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(file, args, { ...options }, (error, stdout, stderr) => {
      resolve({ status: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });
}

/** Calls the function that installs system packages, which the other scripts source. */
async function installSystemPackages(names: string, options: { uid?: number; env?: NodeJS.ProcessEnv }): Promise<Outcome> {
  const source = await readFile(`${ROOT}scripts/system_packages.sh`, 'utf8');
  return run('/bin/bash', ['-c', `${source}\ninstall_system_packages ${names}`], { ...options, cwd: '/' });
}

const isRoot = process.getuid?.() === 0;

test('where nothing is missing set-up says nothing and does nothing', async (t) => {
  const outcome = await run(`${ROOT}scripts/setup`, ['--checks']);
  t.deepEqual(outcome, { status: 0, stdout: '', stderr: '' });
});

test('set-up compiles anew when anything has changed that is compiled', async (t) => {
  const script = await readFile(`${ROOT}scripts/setup`, 'utf8');
  const watched = /^compiled_code\(\)[^}]*\$\(checksum (.*)\)$/m.exec(script)?.[1]?.split(' ') ?? [];
  const { include } = JSON.parse(await readFile(`${ROOT}tsconfig.build.json`, 'utf8')) as { include: string[] };
  for (const path of include) t.true(watched.includes(path.split('/')[0] ?? ''), path);
});

test('an unknown argument of set-up is refused with its usage', async (t) => {
  const outcome = await run(`${ROOT}scripts/setup`, ['--everything']);
  t.is(outcome.status, 2);
  t.regex(outcome.stderr, /^usage: scripts\/setup/);
});

test('without root, system packages are not installed, but the exact command is printed', async (t) => {
  const outcome = await installSystemPackages('libdnnl-dev doctest-dev', isRoot ? { uid: NOBODY } : {});
  t.is(outcome.status, 1);
  t.regex(outcome.stderr, /sudo sh -c 'apt-get update && apt-get install --yes --no-install-recommends libdnnl-dev doctest-dev'/);
});

test('without apt-get, the names of the packages and the command on Debian are printed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'path-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await symlink('/usr/bin/id', join(folder, 'id'));
  const outcome = await installSystemPackages('libdnnl-dev', { env: { PATH: folder } });
  t.is(outcome.status, 1);
  t.regex(outcome.stderr, /missing: libdnnl-dev\. There is no apt-get here/);
});

test('an unknown data set is refused with the names of those that are known', async (t) => {
  const outcome = await run(`${ROOT}scripts/dataset`, ['imagenet']);
  t.is(outcome.status, 2);
  t.regex(outcome.stderr, /fashion-mnist\|mnist\|cifar10/);
});

test('the lock file names no host', async (t) => {
  const lock = await readFile(`${ROOT}package-lock.json`, 'utf8');
  t.notRegex(lock, /"resolved"|\.tgz/);
});

test('npm ci accepts the lock file', async (t) => {
  const outcome = await run('npm', ['ci', '--dry-run', '--ignore-scripts', '--offline'], { cwd: ROOT });
  t.is(outcome.status, 0, outcome.stderr);
});

test('package.json pins exact versions', async (t) => {
  const { dependencies, devDependencies } = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) t.regex(version, /^\d+\.\d+\.\d+$/, name);
});
