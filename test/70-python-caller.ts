import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { startDaemon } from './support/daemon.js';
import { python } from './support/python.js';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));

/** What test/python/whole_job.py prints. */
interface Report {
  readonly version: string;
  readonly params: Record<string, unknown[]>;
  readonly losses: number[];
  readonly last_step: number;
  readonly train_result: Record<string, unknown[]>;
  readonly truth: string[];
  readonly best: { readonly predicted_classes: string[]; readonly confidences: number[] };
  readonly first: { readonly predicted_classes: string[]; readonly confidences: number[] };
  readonly written: { readonly file_name: string; readonly size_bytes: number };
  readonly stored: string[];
  readonly serialized: { readonly bytes: number; readonly total_bytes: number; readonly checksum_agrees: boolean };
  readonly copied: Record<string, unknown[]>;
  readonly refusal: unknown;
}

async function runWholeJob(address: string): Promise<Report> {
  const program = spawn(python(), ['test/python/whole_job.py', address, 'proto', 'third_party/googleapis'], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  const [output, problem] = await Promise.all([text(program.stdout), text(program.stderr), once(program, 'close')]);
  if (program.exitCode !== 0) throw new Error(`whole_job.py ended with ${program.exitCode}:\n${problem}`);
  return JSON.parse(output) as Report;
}

test("a caller in Python does the whole job with grpcio's stubs of the .proto files", async (t) => {
  const daemon = await startDaemon();
  const report = await runWholeJob(daemon.address);
  await daemon.stop();

  t.regex(report.version, /^\d+\.\d+\.\d+$/);
  t.deepEqual(report.params, { classes: ['dark', 'light'], batch_size: [8], image_dimensions: [16, 16, 3] });

  t.is(report.last_step, 30);
  const [first = Number.NaN, last = Number.NaN] = [report.losses[0], report.losses.at(-1)];
  t.true(last < first / 4, `loss from ${first} to ${last}`);
  t.deepEqual(report.train_result, { loss: [last], step: [30], top1_error: [0] });

  t.deepEqual(report.best.predicted_classes, report.truth);
  t.true(report.best.confidences.every((confidence) => confidence > 0.5 && confidence <= 1));
  t.deepEqual(report.first.predicted_classes, ['dark', 'light']);
  const sum = report.first.confidences.reduce((total, confidence) => total + confidence, 0);
  t.true(Math.abs(sum - 1) < 1e-6);

  t.is(report.written.file_name, 'from_python.safetensors');
  t.deepEqual(report.stored, ['from_python.safetensors']);
  t.deepEqual(report.serialized, { bytes: report.written.size_bytes, total_bytes: report.written.size_bytes, checksum_agrees: true });
  t.deepEqual(report.copied, { classes: ['dark', 'light'], step: [30] });

  t.deepEqual(report.refusal, {
    code: 'FAILED_PRECONDITION',
    message_is_the_same: true,
    reason: 'HANDLE_CLEARED',
    domain: 'dlclassifier.v1',
    metadata: { handle_kind: 'classifier', number: '2454', retry: 'false' },
  });
});
