import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, join, relative } from 'node:path';

/** An image file with its class. */
export interface FolderSample {
  /** Path of the file. */
  readonly image: string;
  /** Name of the folder that the file lies in. */
  readonly label: string;
}

export interface ImageFolder {
  /** Names of the classes in alphabetical order, for the parameter `classes`. */
  readonly classes: readonly string[];
  /** The images, by path in alphabetical order. */
  readonly samples: readonly FolderSample[];
}

const ENDINGS: ReadonlySet<string> = new Set(['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff', '.gif']);

/**
 * Reads a data set from folders: all image files below `root`, at any depth; the class of an image is the last folder on its path. Files of
 * other kinds, symbolic links, and files and folders whose name begins with a dot, are left out.
 *
 * @throws Error where there is no image, or an image lies in `root` itself
 */
export async function readImageFolder(root: string): Promise<ImageFolder> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const images = paths.filter((path) => isImage(relative(root, path))).sort(byCodeUnits);
  if (images.length === 0) throw new Error(`${root} holds no images (${[...ENDINGS].join(', ')})`);
  const samples = images.map((image) => {
    if (join(dirname(image)) === join(root)) throw new Error(`${image} has no class: put it into a folder below ${root}`);
    return { image, label: basename(dirname(image)) };
  });
  const classes = [...new Set(samples.map(({ label }) => label))].sort(byCodeUnits);
  return { classes, samples };
}

function isImage(relativePath: string): boolean {
  const hidden = relativePath.split('/').some((part) => part.startsWith('.'));
  return !hidden && ENDINGS.has(extname(relativePath).toLowerCase());
}

/** The same order on every machine, whatever its language. */
function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
