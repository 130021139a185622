import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent, namesIn } from '../folder_names.js';

/** What is this old was left by a process that cannot be asked for: one of another machine or container. Milliseconds. */
const LEFTOVER_AGE = 24 * 60 * 60 * 1000;

const NAME = /^[0-9a-f]{16}-([1-9][0-9]*)-([0-9a-f]{16})$/;

/** Where the numbers of processes mean the same: this run of this machine, and this container on it. */
const PLACE = createHash('sha256').update(placeOfProcesses()).digest('hex').slice(0, 16);

/** A new name for a file that is being written, in a folder that other processes may write to. It tells by whom. */
export function arrivingName(pid = process.pid): string {
  return `${randomBytes(8).toString('hex')}-${pid}-${PLACE}`;
}

/** Removes what processes have left that are gone, and whatever is older than a day. There may be no such folder. */
export async function removeAbandoned(folder: string): Promise<void> {
  for (const fileName of await namesIn(folder)) {
    const path = join(folder, fileName);
    if (isOfGoneProcess(fileName) || (await isOld(path))) await rm(path, { force: true, recursive: true });
  }
}

function isOfGoneProcess(fileName: string): boolean {
  const [, pid, place] = NAME.exec(fileName) ?? [];
  if (pid === undefined || place !== PLACE) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

async function isOld(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > LEFTOVER_AGE;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

function placeOfProcesses(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // No other process is of this place then, and age alone tells.
    return randomBytes(16).toString('hex');
  }
}
