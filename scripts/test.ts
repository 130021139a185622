import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * Runs all checks and tests, or those named on the command line: `contract`, `types`, `native`, `processors`, `sanitize`, `ava`.
 * The last line is `N passed, N failed`; the exit status is 1 where something failed.
 */

/** What a run of tests came to. */
interface Count {
  passed: number;
  failed: number;
}

/** Runs a command; each line of its standard output goes to `onLine`, its errors to ours. Gives the exit status, or 1 for a signal. */
async function run(command: readonly string[], onLine: (line: string) => void = console.log, env: NodeJS.ProcessEnv = {}): Promise<number> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  const closed = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) onLine(line);
  const [status, signal] = await closed;
  if (signal !== null) console.log(`${file} was ended by ${signal}`);
  return typeof status === 'number' ? status : 1;
}

/** A command that is one check: it passes or it fails. */
async function check(command: readonly string[]): Promise<Count> {
  const status = await run(command);
  return { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1 };
}

/** A count that cannot be all good where the program that made it ended badly. */
function withStatus(count: Count, status: number): Count {
  return status !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

function sum(a: Count, b: Count): Count {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed };
}

/** The engine's tests. */
const ENGINE_TEST = 'native/test/dl_engine_test';
/** Those with the kernels for AMX, which are made for x86 only. */
const AMX_TEST = 'native/test/dl_amx_test';

/** Builds and runs the engine's tests. */
async function engineTests(folder: string, env: NodeJS.ProcessEnv = {}): Promise<Count> {
  const built = await run(['cmake', '--build', folder, '--target', 'dl_native_tests', '--parallel', '2']);
  if (built !== 0) return { passed: 0, failed: 1 };
  const count = await doctest(`${folder}/${ENGINE_TEST}`, env);
  return existsSync(`${folder}/${AMX_TEST}`) ? sum(count, await doctest(`${folder}/${AMX_TEST}`, env)) : count;
}

/** A program of tests: doctest ends with `[doctest] test cases: 12 | 11 passed | 1 failed | 0 skipped`. */
async function doctest(program: string, env: NodeJS.ProcessEnv): Promise<Count> {
  const count = { passed: 0, failed: 0 };
  let summaries = 0;
  const status = await run(
    [program],
    (line) => {
      console.log(line);
      const summary = /test cases:.*?(\d+) passed.*?(\d+) failed/.exec(line);
      if (!summary) return;
      summaries += 1;
      count.passed += Number(summary[1]);
      count.failed += Number(summary[2]);
    },
    env,
  );
  return withStatus(count, summaries === 0 ? 1 : status);
}

/** The same under AddressSanitizer and UndefinedBehaviorSanitizer, in a build of its own. */
async function sanitize(): Promise<Count> {
  const folder = 'build-sanitize';
  const options = ['-DSANITIZE=ON', '-DDL_BUILD_TESTS=ON', '-DCMAKE_BUILD_TYPE=RelWithDebInfo'];
  if ((await run(['cmake', '-S', '.', '-B', folder, ...options])) !== 0) return { passed: 0, failed: 1 };
  return engineTests(folder, { UBSAN_OPTIONS: 'print_stacktrace=1' });
}

/** A test of AVA's that failed. */
interface Failure {
  /** `43-train-batches › its title`; without the file where only one ran. */
  title: string;
  /** What AVA's TAP output says of it. */
  report: string[];
}

interface AvaRun {
  count: Count;
  failures: readonly Failure[];
}

/** What TAP puts behind the title of a test that was not run. */
const DIRECTIVE = / # [A-Z]{4}\b/;

/** A run of AVA, by its TAP output: `ok 1 - title`, `not ok 2 - title` and a report; what is skipped counts for neither. */
async function runAva(files: readonly string[]): Promise<AvaRun> {
  const count = { passed: 0, failed: 0 };
  const failures: Failure[] = [];
  let report: string[] | null = null;
  const status = await run(['node_modules/.bin/ava', '--tap', ...files], (line) => {
    const result = /^(ok|not ok) \d+ - (.*)$/.exec(line);
    console.log(result ? `  ${result[1] === 'ok' ? '✔' : '✘'} ${result[2]}` : line);
    if (!result) return void report?.push(line);
    report = null;
    if (DIRECTIVE.test(line)) return;
    count[result[1] === 'ok' ? 'passed' : 'failed'] += 1;
    if (result[1] === 'ok') return;
    report = [];
    failures.push({ title: result[2] ?? '', report });
  });
  return { count: withStatus(count, count.passed === 0 ? 1 : status), failures };
}

/** The file of tests that a failure is from, or null. */
function fileOf({ title }: Failure): string | null {
  const file = `test/${/^(\S+) › /.exec(title)?.[1]}.ts`;
  return existsSync(file) ? file : null;
}

/**
 * AVA's tests. With CI=true, files in which some failed run once more, by themselves: there a machine that others slow down must not
 * decide. What passes then is named at the end all the same.
 */
async function ava(): Promise<Count> {
  const { count, failures } = await runAva([]);
  const files = failures.map(fileOf);
  if (process.env.CI !== 'true' || files.length === 0 || files.includes(null)) {
    tellFailures('failed', failures);
    return count;
  }
  console.log('\n== the files with failed tests, once more');
  const again = await runAva([...new Set(files.filter((file) => file !== null)), '--concurrency', '1']);
  tellFailures('failed the first time', failures);
  tellFailures('failed again', again.failures);
  return { passed: count.passed + count.failed - again.count.failed, failed: again.count.failed };
}

function tellFailures(what: string, failures: readonly Failure[]): void {
  for (const { title, report } of failures) console.log([`\n${what}: ${title}`, ...report].join('\n'));
}

/** oneDNN's names of the instruction sets that older processors end with, and what Linux calls them. */
const INSTRUCTION_SETS = [
  ['SSE41', 'sse4_1'],
  ['AVX2', 'avx2'],
  ['AVX512_CORE', 'avx512bw'],
] as const;

/** The engine's tests as older processors run them: with the kernels, oneDNN's and our own, that those choose. */
async function olderProcessors(): Promise<Count> {
  const flags = new Set((/^flags\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '').split(' '));
  let total: Count = { passed: 0, failed: 0 };
  for (const [name, flag] of INSTRUCTION_SETS) {
    if (!flags.has(flag)) continue;
    console.log(`-- as on a processor with ${name}`);
    total = sum(total, await doctest(`build/${ENGINE_TEST}`, { ONEDNN_MAX_CPU_ISA: name }));
  }
  return total;
}

const STEPS: Readonly<Record<string, { title: string; run: () => Promise<Count> }>> = {
  contract: { title: 'buf lint', run: () => check(['node_modules/.bin/buf', 'lint']) },
  types: { title: 'type check', run: () => check(['node_modules/.bin/tsc']) },
  native: { title: "the engine's tests", run: () => engineTests('build') },
  processors: { title: "the engine's tests as on older processors", run: olderProcessors },
  sanitize: { title: "the engine's tests under AddressSanitizer and UndefinedBehaviorSanitizer", run: sanitize },
  ava: { title: 'the tests in test/', run: ava },
};

const names = process.argv.length > 2 ? process.argv.slice(2) : ['contract', 'types', 'native', 'processors', 'ava'];
let total: Count = { passed: 0, failed: 0 };
for (const name of names) {
  const step = STEPS[name];
  if (!step) {
    console.error(`no tests named ${name}; there are: ${Object.keys(STEPS).join(', ')}`);
    process.exit(2);
  }
  console.log(`\n== ${step.title}`);
  total = sum(total, await step.run());
}
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
