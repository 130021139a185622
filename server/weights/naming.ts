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

/** What wrappers put before every name: DataParallel and AveragedModel, torch.compile, and modules that call the network `model`. */
const WRAPPERS = ['module.', '_orig_mod.', 'model.'] as const;
/** One in the other; nobody has more, and a hostile name could have a million. */
const MAXIMUM_WRAPPERS = 4;

/** The naming under which most tensors of the file are tensors of the network. */
export function recogniseNaming(network: string, wanted: ReadonlySet<string>, names: readonly string[]): Naming {
  const wrapping = wrappingOf(names);
  const candidates = [OWN, ...(OTHERS[network] ?? [])].map(({ name, toNetwork }): Naming => {
    return { name, toNetwork: (fileName) => toNetwork(fileName.slice(wrapping.length)) };
  });
  const matches = ({ toNetwork }: Naming) => names.filter((name) => wanted.has(toNetwork(name) ?? '')).length;
  return candidates.reduce((best, candidate) => (matches(candidate) > matches(best) ? candidate : best));
}

/** What is wrapped around all names: `module._orig_mod.`. */
function wrappingOf(names: readonly string[], maximum = MAXIMUM_WRAPPERS): string {
  const outer = WRAPPERS.find((wrapper) => names.length > 0 && names.every((name) => name.startsWith(wrapper)));
  if (outer === undefined || maximum === 0) return '';
  const inner = names.map((name) => name.slice(outer.length));
  return outer + wrappingOf(inner, maximum - 1);
}
