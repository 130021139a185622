import test from 'ava';
import { type ProgramEnd, runProgram } from './support/program.js';

/** How the process ends that is named in test/support/addon/process_end.ts. */
const ending = (name: string): Promise<ProgramEnd> => runProgram('./addon/process_end.ts', [name]);

test('a process that leaves everything open exits', async (t) => {
  t.like(await ending('idle'), { exitCode: 0, signal: null, stdout: 'idle\n' });
});

test('a process stays alive while a job is awaited', async (t) => {
  t.like(await ending('awaited'), { exitCode: 0, signal: null, stdout: 'the job ended\n' });
});

test('a process stays alive until jobs that nobody awaits have ended', async (t) => {
  t.like(await ending('unawaited'), { exitCode: 0, signal: null, stdout: 'ended\nended\nended\n' });
});

test('a process stays alive while close is awaited', async (t) => {
  t.like(await ending('closing'), { exitCode: 0, signal: null, stdout: 'closed\n' });
});

test('a process stays alive while images are awaited, and no longer', async (t) => {
  t.like(await ending('images_awaited'), { exitCode: 0, signal: null, stdout: 'the images are prepared\n' });
});

for (const name of ['exit_in_mid_job', 'exit_in_mid_image', 'exit_in_mid_close', 'exit_with_models_closing']) {
  test(`process.exit stops the engine threads first: ${name}`, async (t) => {
    t.like(await ending(name), { exitCode: 3, signal: null, stdout: '0 threads\n', stderr: '' });
  });
}

test('an uncaught exception in mid-job ends the process as it always does', async (t) => {
  const end = await ending('exception_in_mid_job');
  t.like(end, { exitCode: 1, signal: null, stdout: '0 threads\n' });
  t.regex(end.stderr, /Error: mine/);
});

test('constructors that throw leave nothing behind', async (t) => {
  t.like(await ending('failed_constructors'), { exitCode: 0, signal: null, stdout: 'refused\n'.repeat(4) });
});
