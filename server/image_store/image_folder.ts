import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, open, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CHUNK_BYTES } from '../config.js';
import { isAbsent, namesIn } from '../folder_names.js';
import { arrivingName, removeAbandoned } from './arriving_files.js';
import { digestOf, fileNameOf, type ImageName, parseFileName } from './image_name.js';

/** An image on disk. */
export interface ImageOnDisk {
  readonly name: ImageName;
  readonly bytes: number;
}

/** Where files are written before they get their name. */
const ARRIVING = 'arriving';

/** Names of all images, the least recently used first, a line each. */
const ORDER = 'order';

/** Names in one piece of the order file. */
const NAMES_AT_ONCE = 4096;

/**
 * Stored images on disk, one file each, in 256 folders by the first byte of their digest; a file holds the image's bytes and nothing else.
 *
 * A file has its name only when it is whole: it is written in another folder and renamed. Nothing is synchronised to the disk: a killed
 * process loses nothing by that, and what a loss of power leaves of a file does not have the digest that its name says, which is compared
 * whenever a file is read. A lost image is asked for again; waiting for the disk would cost more.
 */
export class ImageFolder {
  readonly #made = new Set<string>();

  private constructor(
    /** Absolute path. */
    readonly path: string,
  ) {}

  /**
   * Removes what a killed daemon has left half written; what another one is writing now stays.
   *
   * @param make whether the folder is made now if it is missing; else with its first image, and its parent must be there
   */
  static async open(path: string, make: boolean): Promise<ImageFolder> {
    if (make) await mkdir(path, { recursive: true });
    await namesIn(path);
    await access((await exists(path)) ? path : dirname(path), constants.R_OK | constants.W_OK | constants.X_OK);
    await removeAbandoned(join(path, ARRIVING));
    return new ImageFolder(path);
  }

  /** All images, those of which the order is known first, the least recently used of them first; files of other names are left alone. */
  async list(): Promise<ImageOnDisk[]> {
    const found = new Map<string, ImageOnDisk>();
    for (const folder of (await namesIn(this.path)).filter((name) => /^[0-9a-f]{2}$/.test(name))) {
      for (const fileName of await namesIn(join(this.path, folder))) {
        const image = parseFileName(fileName);
        if (image !== null && folderOf(image.name) === folder) found.set(image.name, image);
      }
    }
    const known: ImageOnDisk[] = [];
    for (const name of await this.#order()) {
      const image = found.get(name);
      if (image === undefined) continue;
      known.push(image);
      found.delete(name);
    }
    // What the order does not know has come after it was written.
    return [...known, ...found.values()];
  }

  /** Bytes that are free on the disk. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs((await exists(this.path)) ? this.path : dirname(this.path));
    return bavail * bsize;
  }

  async write({ name, bytes }: ImageOnDisk, data: Uint8Array): Promise<void> {
    const temporary = join(this.path, ARRIVING, arrivingName());
    try {
      await this.#makeFolder(ARRIVING);
      await this.#makeFolder(folderOf(name));
      await writeFile(temporary, data, { flag: 'wx' });
      await rename(temporary, this.#pathOf({ name, bytes }));
    } catch (error) {
      // Someone may have removed a folder: the next image makes it anew.
      this.#made.clear();
      await rm(temporary, { force: true }).catch(() => {});
      throw error;
    }
  }

  /** The image's bytes; null where the file is missing, cannot be read, or does not hold them any more. */
  async read(image: ImageOnDisk): Promise<Uint8Array | null> {
    try {
      const data = Buffer.allocUnsafeSlow(image.bytes);
      const hash = createHash('sha256');
      const file = await open(this.#pathOf(image));
      try {
        // In pieces, because the digest is computed on the event loop.
        for (let offset = 0; offset < data.byteLength; ) {
          const { bytesRead } = await file.read(data, offset, Math.min(CHUNK_BYTES, data.byteLength - offset), offset);
          if (bytesRead === 0) return null;
          hash.update(data.subarray(offset, offset + bytesRead));
          offset += bytesRead;
        }
      } finally {
        await file.close();
      }
      return hash.digest('hex') === digestOf(image.name) ? data : null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== undefined) return null;
      throw error;
    }
  }

  async remove(image: ImageOnDisk): Promise<void> {
    await rm(this.#pathOf(image), { force: true });
  }

  /** Remembers the order of use. @param names the least recently used first */
  async writeOrder(names: readonly ImageName[]): Promise<void> {
    await this.#makeFolder(ARRIVING);
    const temporary = join(this.path, ARRIVING, arrivingName());
    try {
      const file = await open(temporary, 'w');
      try {
        for (let start = 0; start < names.length; start += NAMES_AT_ONCE) {
          await file.writeFile(`${names.slice(start, start + NAMES_AT_ONCE).join('\n')}\n`);
        }
      } finally {
        await file.close();
      }
      await rename(temporary, join(this.path, ORDER));
    } catch (error) {
      this.#made.clear();
      await rm(temporary, { force: true }).catch(() => {});
      throw error;
    }
  }

  async #order(): Promise<string[]> {
    try {
      return (await readFile(join(this.path, ORDER), 'latin1')).split('\n');
    } catch (error) {
      if (isAbsent(error)) return [];
      throw error;
    }
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#made.has(folder)) return;
    await mkdir(join(this.path, folder), { recursive: true });
    this.#made.add(folder);
  }

  #pathOf({ name, bytes }: ImageOnDisk): string {
    return join(this.path, folderOf(name), fileNameOf(name, bytes));
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

function folderOf(name: ImageName): string {
  return name.slice(0, 2);
}
