/** Loads the native engine: `build/Release/dl_engine_addon.node` of this package. */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { PACKAGE_ROOT, VERSION } from '../package/root.js';
import type { Binding, EngineError } from './binding.js';
import { withThreadWaiting } from './thread_waiting.js';

export type * from './binding.js';
export type * from './graph.js';

/** What it must have beside classes. */
const FUNCTIONS = ['gpus', 'exitAtOnce'] as const;

/** What each class of a {@link Binding} must have; an addon that lacks one was built from other sources. */
const MEMBERS = {
  Engine: ['info', 'planMemory', 'close'],
  StagingBuffer: ['byteLength', 'write', 'writePieces', 'read', 'close'],
  ImageTable: ['set', 'close'],
  Model: [
    'tensors',
    'layers',
    'parameterCount',
    'memoryBytes',
    'planMemory',
    'prepare',
    'setSolver',
    'train',
    'announce',
    'profile',
    'apply',
    'snapshot',
    'restore',
    'reshape',
    'close',
  ],
  ImageWorkers: ['prepare', 'cancel', 'close'],
} as const satisfies Record<Exclude<keyof Binding, (typeof FUNCTIONS)[number]>, readonly string[]>;

/** Whether a caught value comes from the addon and so has a `reason` and `metadata`. */
export function isEngineError(error: unknown): error is EngineError {
  return error instanceof Error && error.name === 'EngineError' && 'reason' in error && 'metadata' in error;
}

/** The addon could not be used; the message says why and names the command that mends it. */
export class AddonLoadError extends Error {
  override readonly name = 'AddonLoadError';

  constructor(file: string, problem: string, options?: ErrorOptions) {
    super(`The native engine ${file} ${problem}\nBuild it with:  npm run build:native`, options);
  }
}

/** The first thing that an addon's exports lack, or null. */
function missingMember(exports: Record<string, unknown>): string | null {
  for (const [name, members] of Object.entries(MEMBERS)) {
    const definition = exports[name];
    if (typeof definition !== 'function') return name;
    const absent = members.find((member) => !(member in definition.prototype));
    if (absent !== undefined) return `${name}.${absent}`;
  }
  return FUNCTIONS.find((name) => typeof exports[name] !== 'function') ?? null;
}

/**
 * Loads an addon and checks that it belongs to this version of the package.
 * @throws {AddonLoadError} where it is absent, cannot be loaded or was built from other sources.
 */
export function loadAddon(file: string, version: string): Binding {
  let exports: Record<string, unknown>;
  try {
    exports = withThreadWaiting(() => createRequire(import.meta.url)(file) as Record<string, unknown>);
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException;
    const problem = error.code === 'MODULE_NOT_FOUND' ? 'has not been built.' : `cannot be loaded: ${error.message}`;
    throw new AddonLoadError(file, problem, { cause });
  }
  if (exports.version !== version) {
    throw new AddonLoadError(file, `was built for version ${String(exports.version)} of this package, which is ${version}.`);
  }
  const missing = missingMember(exports);
  if (missing !== null) throw new AddonLoadError(file, `was built from other sources: it has no ${missing}.`);
  return exports as unknown as Binding;
}

let loaded: Binding | null = null;

/**
 * The native engine's classes. The environment variable DL_CLASSIFIER_ADDON names another build of the addon, for instance one with
 * sanitizers.
 * @throws {AddonLoadError} where the addon is absent, cannot be loaded or was built from other sources.
 */
export function engineBinding(): Binding {
  if (loaded === null) {
    const file = process.env.DL_CLASSIFIER_ADDON ?? join('build', 'Release', 'dl_engine_addon.node');
    loaded = loadAddon(resolve(PACKAGE_ROOT, file), VERSION);
  }
  return loaded;
}
