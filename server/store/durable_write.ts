import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { namesIn } from '../folder_names.js';

const LEFTOVER_ENDING = '.partial';
const LEFTOVER_NAME = /^\.[0-9a-f]{16}\.partial$/;

/** A younger one may be another daemon's that is writing now. Milliseconds. */
const LEFTOVER_AGE = 24 * 60 * 60 * 1000;

/** What file systems answer that cannot synchronise a folder (SMB, 9p, some of FUSE): they give no more than the rename. */
const CANNOT_SYNC: ReadonlySet<string | undefined> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EBADF', 'EPERM']);

/** The new file has taken the place of the old one, and whether it survives a loss of power is not known. */
export class NotDurable extends Error {
  override readonly name = 'NotDurable';
}

/**
 * Writes a file so that at every moment either the old one or the whole new one is there, across a loss of power, too: a temporary file in
 * the same folder, fsync, rename, fsync of the folder. A failure leaves the old file and no other.
 *
 * @throws NotDurable where the folder could not be synchronised; any other error before the old file was replaced
 */
export async function writeDurably(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const folder = dirname(path);
  // Hidden, so that nobody takes it for a classifier if the process dies now.
  const temporary = join(folder, `.${randomBytes(8).toString('hex')}${LEFTOVER_ENDING}`);
  try {
    const file = await open(temporary, 'wx', 0o644);
    try {
      for (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  try {
    await syncFolder(folder);
  } catch (cause) {
    throw new NotDurable('the folder could not be synchronised', { cause });
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!CANNOT_SYNC.has((error as NodeJS.ErrnoException).code)) throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Removes what daemons left in the folder that were killed while they wrote. There may be no such folder.
 *
 * @returns how many files
 */
export async function removeLeftovers(folder: string): Promise<number> {
  let removed = 0;
  for (const name of (await namesIn(folder)).filter((candidate) => LEFTOVER_NAME.test(candidate))) {
    const path = join(folder, name);
    const found = await stat(path);
    if (Date.now() - found.mtimeMs <= LEFTOVER_AGE) continue;
    await rm(path, { force: true });
    removed++;
  }
  return removed;
}
