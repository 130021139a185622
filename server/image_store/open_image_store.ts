import { resolve } from 'node:path';
import type { Logger } from '../log.js';
import { StartError } from '../start_error.js';
import { ImageFolder } from './image_folder.js';
import { ImageStore } from './image_store.js';
import { PixelCache } from './pixel_cache.js';

export interface StoreConfig {
  readonly folder: string;
  /** Whether someone has named the folder: then it must be usable. */
  readonly named: boolean;
  /** Bytes of all stored images; 0 stores none, null means half of the disk that is free or taken by them. */
  readonly maximumBytes: number | null;
  /** Bytes of one. */
  readonly maximumImageBytes: number;
  /** Bytes of pixels in memory. */
  readonly maximumPixelBytes: number;
}

/** Part of the free disk that is taken where the configuration does not say. */
const DISK_SHARE = 0.5;

/**
 * Opens the store with what is in its folder. One that was named is made if it is missing, the other one with its first image.
 *
 * @throws StartError where a folder that was named cannot be used; one that was not leaves a store that stores nothing
 */
export async function openImageStore(config: StoreConfig, log: Logger): Promise<ImageStore> {
  const { maximumImageBytes, maximumBytes } = config;
  const common = { maximumImageBytes, pixels: new PixelCache(config.maximumPixelBytes), log };
  if (maximumBytes === 0) {
    const problem = 'the server was started with --max-stored-bytes 0';
    return new ImageStore({ ...common, folder: null, problem, maximumBytes: 0 }, []);
  }
  try {
    const folder = await ImageFolder.open(resolve(config.folder), config.named);
    const found = await folder.list();
    const taken = found.reduce((sum, { bytes }) => sum + bytes, 0);
    const maximum = maximumBytes ?? Math.floor((taken + (await folder.freeBytes())) * DISK_SHARE);
    return new ImageStore({ ...common, folder, problem: '', maximumBytes: maximum }, found);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    if (config.named) {
      throw new StartError(`the folder ${resolve(config.folder)} cannot hold images: ${problem}; name another with --images`, {
        cause: error,
      });
    }
    log.warn({ folder: config.folder, err: error }, 'images cannot be stored; name a folder with --images');
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown cause';
    return new ImageStore({ ...common, folder: null, problem: `its folder cannot be used: ${code}`, maximumBytes: 0 }, []);
  }
}
