import type { TensorInfo } from '../../native/binding.js';
import { FLOAT_TYPES } from './float32.js';
import { recogniseNaming } from './naming.js';
import type { WeightTensor } from './weight_tensor.js';

/** A network, as weights must fit it. */
export interface WantedWeights {
  readonly network: string;
  /** All tensors but momentum. */
  readonly tensors: readonly TensorInfo[];
  /** The layer that may have another number of classes in the file. */
  readonly classLayer: string;
}

/** A tensor of the network with its values in the file. */
export interface FittingTensor {
  readonly info: TensorInfo;
  readonly tensor: WeightTensor;
}

export interface Misfit {
  readonly layer: string;
  /** The network's. */
  readonly name: string;
  readonly got: readonly number[];
  readonly wanted: readonly number[];
  /** The type in the file where it is none of floating point; else null. */
  readonly type: string | null;
}

/** How weights and a network go together. */
export interface WeightsFit {
  /** Whose names the file has; empty: the network's own. */
  readonly naming: string;
  readonly fitting: readonly FittingTensor[];
  /** The last layer where the file has another number of classes, so that it cannot be taken over; else empty. */
  readonly head: readonly FittingTensor[];
  /** Number of classes in the file and in the network. */
  readonly fileClassCount: number;
  readonly classCount: number;
  /** Tensors of the network that the file does not have. */
  readonly missing: readonly string[];
  /** Tensors of the file that the network does not have, by the file's names. */
  readonly extra: readonly string[];
  readonly misshapen: readonly Misfit[];
}

/** Compares all tensors of a file with all of a network. */
export function fitWeights({ network, tensors, classLayer }: WantedWeights, file: readonly WeightTensor[]): WeightsFit {
  const wanted = new Map(tensors.map((info) => [info.name, info]));
  const names = file.map(({ name }) => name);
  const { name: naming, toNetwork } = recogniseNaming(network, new Set(wanted.keys()), names);
  const pairs: FittingTensor[] = [];
  const extra: string[] = [];
  for (const tensor of file) {
    const name = toNetwork(tensor.name);
    const info = name === null ? undefined : wanted.get(name);
    if (info === undefined || !wanted.delete(info.name)) extra.push(tensor.name);
    else pairs.push({ info, tensor });
  }
  const head = pairs.filter(({ info }) => info.layer === classLayer);
  const [classCount = 0] = head[0]?.info.shape ?? [];
  const fileClassCount = headClasses(head);
  const otherHead = fileClassCount !== null && fileClassCount !== classCount;
  const fitting = pairs.filter((pair) => !(otherHead && head.includes(pair)) && isRight(pair));
  return {
    naming,
    fitting,
    head: otherHead ? head : [],
    fileClassCount: fileClassCount ?? 0,
    classCount,
    missing: [...wanted.keys()],
    extra,
    misshapen: pairs.filter((pair) => !(otherHead && head.includes(pair)) && !isRight(pair)).map(toMisfit),
  };
}

/** Whether nothing but the filters that read the images tells weights for grey images from those of the network, which is for colour. */
export function isForGrey({ misshapen }: WeightsFit): boolean {
  const [first, ...others] = misshapen;
  if (first === undefined || others.length > 0 || first.type !== null) return false;
  const withChannels = (shape: readonly number[], channels: number) => shape.with(1, channels).join();
  return first.wanted.length === 4 && first.got.join() === withChannels(first.wanted, 1) && first.wanted[1] === 3;
}

/** The fully connected layer that has another number of inputs in the file, as it has at another image size; null where there is none. */
export function layerOfOtherSize({ misshapen }: WeightsFit): string | null {
  const isOther = ({ got, wanted, type }: Misfit) => type === null && wanted.length === 2 && got.length === 2 && got[0] === wanted[0];
  return misshapen.find(isOther)?.layer ?? null;
}

function isRight({ info, tensor }: FittingTensor): boolean {
  return FLOAT_TYPES.includes(tensor.dtype) && tensor.shape.join() === info.shape.join();
}

/** The number of classes that all tensors of the last layer agree on where they differ in nothing else from the network's; null where they do not. */
function headClasses(head: readonly FittingTensor[]): number | null {
  const count = head[0]?.tensor.shape[0] ?? 0;
  const agree = head.every(({ info, tensor }) => {
    const [classes, ...rest] = tensor.shape;
    return FLOAT_TYPES.includes(tensor.dtype) && classes === count && rest.join() === info.shape.slice(1).join();
  });
  return agree && count > 0 ? count : null;
}

function toMisfit({ info, tensor }: FittingTensor): Misfit {
  const type = FLOAT_TYPES.includes(tensor.dtype) ? null : tensor.dtype;
  return { layer: info.layer, name: info.name, got: tensor.shape, wanted: info.shape, type };
}
