import { constants } from 'node:buffer';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { refuse } from '../errors/refusal.js';
import { hostMemory } from '../host_memory.js';
import type { SerializedClassifier } from './classifier_file.js';
import { NotDurable, removeLeftovers, writeDurably } from './durable_write.js';
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

/** A file is read into one buffer, of at most 4 GiB in Node.js 20. */
const MAXIMUM_FILE_BYTES = constants.MAX_LENGTH;

/** Bytes that are read at a time. */
const PIECE_BYTES = 16 * 1024 * 1024;

/** The folder of the stored classifiers. */
export class ModelFolder {
  constructor(readonly path: string) {}

  /**
   * Replaces the file of this name, in one step.
   *
   * @returns the name with its ending
   * @throws Refusal WRONG_VALUE of a name that is not allowed, LIMIT_EXCEEDED of more than can be read again, FILE_NOT_WRITABLE
   */
  async write(name: string, classifier: SerializedClassifier): Promise<string> {
    const fileName = fileNameToWrite(name);
    await this.#write(fileName, classifier);
    return fileName;
  }

  /** Replaces trained weights, in one step. @throws Refusal LIMIT_EXCEEDED, FILE_NOT_WRITABLE */
  async writePretrained(fileName: string, weights: SerializedClassifier): Promise<void> {
    await this.#write(join(PRETRAINED_FOLDER, fileName), weights);
  }

  /** @throws Refusal FILE_NOT_FOUND, FILE_NOT_OURS, SERVER_BUSY without memory */
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

  /**
   * Removes what daemons left that were killed while they wrote, beside the trained weights, too.
   *
   * @returns how many files
   */
  async tidy(): Promise<number> {
    const pretrained = join(this.path, PRETRAINED_FOLDER);
    return (await removeLeftovers(this.path)) + (await removeLeftovers(pretrained));
  }

  /** By name. */
  async list(): Promise<FoundFile[]> {
    const names = (await readdir(this.path)).filter((name) => hasEnding(name) && !name.startsWith('.')).sort();
    const files = await Promise.all(names.map((name) => this.#find(name)));
    return files.filter((file) => file !== null);
  }

  async #write(fileName: string, { parts, totalBytes }: SerializedClassifier): Promise<void> {
    if (totalBytes > MAXIMUM_FILE_BYTES) {
      const remedy = 'set fewer classes, smaller images or solver_type sgd';
      throw refuse('LIMIT_EXCEEDED', { limit: 'stored_file_bytes', got: totalBytes, maximum: MAXIMUM_FILE_BYTES, remedy });
    }
    const path = join(this.path, fileName);
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeDurably(path, parts);
    } catch (error) {
      const replaced = error instanceof NotDurable ? { replaced: 'true', problem: describe(error.cause) } : { problem: describe(error) };
      throw refuse('FILE_NOT_WRITABLE', { file_name: fileName, ...replaced }, { cause: error });
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
  const bytes = hostMemory(found.size);
  try {
    return await readInto(bytes, path);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw refuse('FILE_NOT_FOUND', { file_name: fileName, problem: `it cannot be read: ${describe(error)}` }, { cause: error });
  }
}

/** What the file has, as far as the buffer reaches; in pieces, since fs.readFile ends at 2 GiB. */
async function readInto(bytes: Buffer, path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    let length = 0;
    while (length < bytes.byteLength) {
      const { bytesRead } = await file.read(bytes, length, Math.min(PIECE_BYTES, bytes.byteLength - length), length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await file.close();
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
