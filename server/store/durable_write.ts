import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Writes a file so that at every moment either the old one or the whole new one is there, across a loss of power, too: a temporary file in
 * the same folder, fsync, rename, fsync of the folder. A failure leaves the old file and no other.
 */
export async function writeDurably(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const folder = dirname(path);
  // Hidden, so that nobody takes it for a classifier if the process dies now.
  const temporary = join(folder, `.${randomBytes(8).toString('hex')}.partial`);
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
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
