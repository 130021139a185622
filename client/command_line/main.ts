#!/usr/bin/env node
/** dlc, the command line of dl-classifier: see program.ts for its commands. */
import { runCommandLine } from './program.js';

process.exitCode = await runCommandLine(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
