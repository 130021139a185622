import { fromTimmMobilenetV2 } from './timm_mobilenet_v2.js';

/** How a program names the tensors of a network. */
export interface Naming {
  /** Of the program; empty for the network's own names, which are torchvision's where torchvision has the network. */
  readonly name: string;
  /** The network's name of a tensor that the file has; null where the program has no such tensor. */
  toNetwork(fileName: string): string | null;
}

const OWN: Naming = { name: '', toNetwork: (name) => name };

/** timm's ResNets have torchvision's names, and AlexNet timm does not have; so this is where the two differ. */
const OTHERS: Readonly<Record<string, readonly Naming[]>> = {
  mobilenet_v2: [{ name: 'timm', toNetwork: fromTimmMobilenetV2 }],
};

/** What PyTorch's wrappers for several devices put before every name. */
const WRAPPER = 'module.';

/** The naming under which most tensors of the file are tensors of the network. */
export function recogniseNaming(network: string, wanted: ReadonlySet<string>, names: readonly string[]): Naming {
  const wrapped = names.length > 0 && names.every((name) => name.startsWith(WRAPPER));
  const known = [OWN, ...(OTHERS[network] ?? [])];
  const candidates = wrapped ? known.map(unwrapped) : known;
  const matches = ({ toNetwork }: Naming) => names.filter((name) => wanted.has(toNetwork(name) ?? '')).length;
  return candidates.reduce((best, candidate) => (matches(candidate) > matches(best) ? candidate : best));
}

function unwrapped({ name, toNetwork }: Naming): Naming {
  return { name, toNetwork: (fileName) => toNetwork(fileName.slice(WRAPPER.length)) };
}
