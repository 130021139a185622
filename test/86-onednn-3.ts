/** Debian 12 has oneDNN 2.6, newer systems have 3.x: the engine compiles against both. PyTorch brings the headers of 3.x. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { python } from './support/python.js';

const run = promisify(execFile);
const NATIVE = fileURLToPath(new URL('../native', import.meta.url));
const FLAGS = ['-std=c++20', '-fsyntax-only', '-fopenmp', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-Wno-restrict', `-I${NATIVE}`];

/** The files of the backend that name oneDNN. */
async function filesWithOneDnn(): Promise<string[]> {
  const files = (await readdir(join(NATIVE, 'cpu'), { recursive: true })).filter((file) => file.endsWith('.cpp'));
  const texts = await Promise.all(files.map(async (file) => [file, await readFile(join(NATIVE, 'cpu', file), 'utf8')] as const));
  return texts.filter(([, text]) => /\bdnnl\b/.test(text)).map(([file]) => file);
}

async function torchHeaders(): Promise<string> {
  const { stdout } = await run(python(), ['-c', 'import importlib.util; print(importlib.util.find_spec("torch").origin)']);
  return join(dirname(stdout.trim()), 'include');
}

test("the engine compiles against oneDNN 3's interface", async (t) => {
  const headers = await torchHeaders();
  t.regex(await readFile(join(headers, 'oneapi/dnnl/dnnl_version.h'), 'utf8'), /#define DNNL_VERSION_MAJOR 3\b/);
  const files = await filesWithOneDnn();
  t.true(files.includes('onednn.cpp'));
  for (const file of files) {
    // -isystem comes before the compiler's own folders, where 2.6 is.
    await t.notThrowsAsync(run('c++', [...FLAGS, '-isystem', headers, join(NATIVE, 'cpu', file)]), file);
  }
});
