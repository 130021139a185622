import { mkdir, open, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { refuse } from '../errors/refusal.js';
import type { SerializedClassifier } from './classifier_file.js';
import { writeDurably } from './durable_write.js';
import { fileNamesToRead, fileNameToWrite, hasEnding } from './file_name.js';

/** A file in the model folder that may be a classifier. */
export interface FoundFile {
  readonly fileName: string;
  readonly path: string;
  readonly bytes: number;
  readonly modified: Date;
}

/** Where users put trained weights of torchvision. */
const PRETRAINED_FOLDER = 'pretrained';

/** What fs.readFile takes. */
const MAXIMUM_FILE_BYTES = 2 ** 31 - 1;

/** The folder of the stored classifiers. */
export class ModelFolder {
  constructor(readonly path: string) {}

  /**
   * Replaces the file of this name, in one step.
   *
   * @returns the name with its ending
   * @throws Refusal WRONG_VALUE of a name that is not allowed, FILE_NOT_WRITABLE
   */
  async write(name: string, { parts }: SerializedClassifier): Promise<string> {
    const fileName = fileNameToWrite(name);
    await this.#write(fileName, parts);
    return fileName;
  }

  /** Replaces trained weights, in one step. @throws Refusal FILE_NOT_WRITABLE */
  async writePretrained(fileName: string, { parts }: SerializedClassifier): Promise<void> {
    await this.#write(join(PRETRAINED_FOLDER, fileName), parts);
  }

  /** @throws Refusal FILE_NOT_FOUND, FILE_NOT_OURS */
  async read(name: string): Promise<{ fileName: string; bytes: Uint8Array }> {
    for (const fileName of fileNamesToRead(name)) {
      const bytes = await readWhole(join(this.path, fileName), fileName);
      if (bytes !== null) return { fileName, bytes };
    }
    throw refuse('FILE_NOT_FOUND', { file_name: name });
  }

  /** Trained weights that the user has put there; null where there are none. */
  async readPretrained(fileName: string): Promise<Uint8Array | null> {
    return readWhole(join(this.path, PRETRAINED_FOLDER, fileName), fileName);
  }

  async hasPretrained(fileName: string): Promise<boolean> {
    return (await statFile(join(this.path, PRETRAINED_FOLDER, fileName))) !== null;
  }

  /** By name. */
  async list(): Promise<FoundFile[]> {
    const names = (await readdir(this.path)).filter((name) => hasEnding(name) && !name.startsWith('.')).sort();
    const files = await Promise.all(names.map((name) => this.#find(name)));
    return files.filter((file) => file !== null);
  }

  async #write(fileName: string, parts: readonly Uint8Array[]): Promise<void> {
    const path = join(this.path, fileName);
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeDurably(path, parts);
    } catch (error) {
      throw refuse('FILE_NOT_WRITABLE', { file_name: fileName, problem: describe(error) }, { cause: error });
    }
  }

  async #find(fileName: string): Promise<FoundFile | null> {
    const path = join(this.path, fileName);
    const found = await statFile(path);
    return found && { fileName, path, bytes: found.size, modified: found.mtime };
  }
}

/** The first bytes of a file, fewer where it is shorter. */
export async function readBeginning(path: string, bytes: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function readWhole(path: string, fileName: string): Promise<Uint8Array | null> {
  const found = await statFile(path);
  if (found === null) return null;
  if (found.size > MAXIMUM_FILE_BYTES) {
    throw refuse('FILE_NOT_OURS', { file_name: fileName, problem: `it has ${found.size} bytes, more than ${MAXIMUM_FILE_BYTES}` });
  }
  try {
    return await readFile(path);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw refuse('FILE_NOT_FOUND', { file_name: fileName, problem: `it cannot be read: ${describe(error)}` }, { cause: error });
  }
}

/** Null where there is no regular file: a folder or a pipe is no classifier. */
async function statFile(path: string): Promise<{ size: number; mtime: Date } | null> {
  try {
    const found = await stat(path);
    return found.isFile() ? found : null;
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** `ENOSPC` and the like: the message would tell the caller the server's paths. */
function describe(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown cause';
}
