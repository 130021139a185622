import { constants } from 'node:fs';
import { access, mkdir, readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { StartError } from './start_error.js';

/**
 * Makes the folder if it is missing and checks that it can be listed. One that cannot be written is allowed: the daemon then reads
 * classifiers and refuses to store them.
 *
 * @returns its absolute path
 * @throws StartError
 */
export async function openModelFolder(folder: string): Promise<string> {
  const path = resolve(folder);
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.R_OK | constants.X_OK);
    await readdir(path);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new StartError(`the model folder ${path} cannot be used: ${problem}; name another with --models`, { cause: error });
  }
  return path;
}
