import { createRequire } from 'node:module';
import { join } from 'node:path';
import { crc32 as crc32OfZlib } from 'node:zlib';
import { PACKAGE_ROOT } from '../package/root.js';

/** CRC-32 of the bytes that `checksum` stands for, 0 or nothing for none, followed by these: that of zlib, gzip and PNG. */
export type Crc32 = (bytes: Uint8Array, checksum?: number) => number;

/** `build/Release/dl_checksum_addon.node`. */
interface ChecksumAddon {
  crc32(bytes: Uint8Array, checksum: number): number;
  /** Those that it is computed with; `tables` where the processor has none for it. */
  readonly instructions: string;
}

/** Of no bytes Node.js' function makes 0 whatever came before. */
const byZlib: Crc32 = (bytes, checksum = 0) => (bytes.byteLength === 0 ? checksum : crc32OfZlib(bytes, checksum));

/**
 * By instructions of the processor, where it has them and the addon has been built: several times as fast as Node.js' zlib, which is used
 * otherwise, so that a client needs no addon.
 *
 * @param file the addon, which need not be there
 * @param warn is told of an addon that is there and cannot be loaded
 */
export function fastestCrc32(file: string, warn: (message: string) => void): Crc32 {
  try {
    const addon = createRequire(import.meta.url)(file) as ChecksumAddon;
    return addon.instructions === 'tables' ? byZlib : (bytes, checksum = 0) => addon.crc32(bytes, checksum);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') {
      warn(`${file} cannot be loaded, so that checksums take longer: ${(error as Error).message}`);
    }
    return byZlib;
  }
}

const FILE = join(PACKAGE_ROOT, 'build', 'Release', 'dl_checksum_addon.node');

export const crc32: Crc32 = fastestCrc32(FILE, (message) => process.emitWarning(message, 'DlClassifierWarning'));
