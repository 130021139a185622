/** Blocks of each of MobileNetV2's stages. torchvision counts all blocks through, timm counts them within their stage. */
const STAGE_BLOCKS = [1, 2, 3, 4, 3, 3, 1] as const;

/** What stands before, between and after the blocks. */
const OUTSIDE: Readonly<Record<string, string>> = {
  conv_stem: 'features.0.0',
  bn1: 'features.0.1',
  conv_head: 'features.18.0',
  bn2: 'features.18.1',
  classifier: 'classifier.1',
};

/** The first block does not widen its input: depthwise convolution, projection, each with its batch norm. */
const FIRST_BLOCK: Readonly<Record<string, string>> = { conv_dw: 'conv.0.0', bn1: 'conv.0.1', conv_pw: 'conv.1', bn2: 'conv.2' };

/** All others: expansion, depthwise convolution, projection, each with its batch norm. */
const BLOCK: Readonly<Record<string, string>> = {
  conv_pw: 'conv.0.0',
  bn1: 'conv.0.1',
  conv_dw: 'conv.1.0',
  bn2: 'conv.1.1',
  conv_pwl: 'conv.2',
  bn3: 'conv.3',
};

/** torchvision's name of a tensor that timm's mobilenetv2_100 has; null where timm has no such tensor. */
export function fromTimmMobilenetV2(name: string): string | null {
  const match = /^(?:blocks\.(\d+)\.(\d+)\.)?(\w+)\.(\w+)$/.exec(name);
  if (match === null) return null;
  const [, stage, block, layer = '', tensor = ''] = match;
  const place = stage === undefined ? lookUp(OUTSIDE, layer) : blockPlace(Number(stage), Number(block), layer);
  return place === null ? null : `${place}.${tensor}`;
}

function blockPlace(stage: number, block: number, layer: string): string | null {
  if (block >= (STAGE_BLOCKS[stage] ?? 0)) return null;
  const place = lookUp(stage === 0 ? FIRST_BLOCK : BLOCK, layer);
  // features.0 stands before the blocks.
  const index = 1 + STAGE_BLOCKS.slice(0, stage).reduce((sum, count) => sum + count, 0) + block;
  return place === null ? null : `features.${index}.${place}`;
}

function lookUp(table: Readonly<Record<string, string>>, key: string): string | null {
  return Object.hasOwn(table, key) ? (table[key] ?? null) : null;
}
