import { type Refusal, refuse } from '../errors/refusal.js';
import * as all from './all.js';
import type { NetworkDefinition } from './definition.js';

/** The networks that ReadClassifier knows. */
export const networks: readonly NetworkDefinition[] = Object.values(all);

/** How scripts for HALCON name a network's file. */
const HALCON_PREFIX = 'pretrained_dl_classifier_';
const HALCON_SUFFIX = '.hdl';

/** The network of this plain name, as a stored classifier has it. */
export function networkByName(name: string): NetworkDefinition | null {
  return networks.find((network) => network.name === name) ?? null;
}

/** What a file name asks for: a network by one of its names, or a stored classifier. */
export type FileReference =
  | { readonly kind: 'network'; readonly network: NetworkDefinition }
  | { readonly kind: 'unknown_network'; readonly name: string }
  | { readonly kind: 'stored' };

/** Reads `compact`, `pretrained_dl_classifier_compact` and `pretrained_dl_classifier_compact.hdl` as the network; a network's name is never a stored file's. */
export function parseFileName(fileName: string): FileReference {
  const name = fileName.startsWith(HALCON_PREFIX) ? withoutSuffix(fileName.slice(HALCON_PREFIX.length)) : fileName;
  const network = networkByName(name);
  if (network !== null) return { kind: 'network', network };
  return name === fileName ? { kind: 'stored' } : { kind: 'unknown_network', name };
}

/**
 * The network that a caller names.
 *
 * @throws Refusal FILE_NOT_FOUND, which tells the networks that there are
 */
export function networkByFileName(fileName: string): NetworkDefinition {
  const reference = parseFileName(fileName);
  if (reference.kind === 'network') return reference.network;
  const name = reference.kind === 'unknown_network' ? reference.name : fileName;
  throw unknownNetwork(fileName, name);
}

/** What a name is refused with that is no network's. */
export function unknownNetwork(fileName: string, name: string): Refusal {
  const known = networks.map((network) => network.name).join(', ');
  return refuse('FILE_NOT_FOUND', { file_name: fileName, problem: `this server has no network ${JSON.stringify(name)}; it has ${known}` });
}

function withoutSuffix(name: string): string {
  return name.endsWith(HALCON_SUFFIX) ? name.slice(0, -HALCON_SUFFIX.length) : name;
}
