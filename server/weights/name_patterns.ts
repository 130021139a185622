/** A part of names with what follows it; the empty key ends a name. */
interface Tree extends Map<string, Tree> {}

/**
 * Names as few patterns in which nothing is lost: `layer1.{0,1}.bn1.{bias,weight}` are four names, as shells expand it. Networks are
 * regular, so that hundreds of tensors come to some lines.
 */
export function namePatterns(names: readonly string[]): string[] {
  const root: Tree = new Map();
  for (const name of names) {
    let tree = root;
    for (const part of [...partsOf(name), '']) {
      const next: Tree = tree.get(part) ?? new Map();
      tree.set(part, next);
      tree = next;
    }
  }
  return patterns(root);
}

/** A name of more parts than any network's is cut no further, as it may have millions. */
const MAXIMUM_PARTS = 32;

function partsOf(name: string): string[] {
  const parts = name.split('.', MAXIMUM_PARTS + 1);
  if (parts.length <= MAXIMUM_PARTS) return parts;
  const first = parts.slice(0, MAXIMUM_PARTS - 1);
  return [...first, name.slice(first.join('.').length + 1)];
}

/** What may stand here and behind: keys that have the same behind them share a pattern. */
function patterns(tree: Tree): string[] {
  const groups = new Map<string, { keys: string[]; behind: readonly string[] }>();
  for (const [key, below] of tree) {
    const behind = patterns(below);
    const signature = key === '' ? 'end' : JSON.stringify(behind);
    const group = groups.get(signature) ?? { keys: [], behind };
    group.keys.push(key);
    groups.set(signature, group);
  }
  return [...groups.values()].flatMap(({ keys, behind }) => {
    const here = braces(keys);
    return behind.length === 0 ? [here] : behind.map((rest) => (rest === '' ? here : `${here}.${rest}`));
  });
}

/** `{a,b}`; three integers or more in a row are `{0..2}`, behind a common beginning, too: `conv{1..3}`. */
function braces(keys: readonly string[]): string {
  const counted = new Map<string, number[]>();
  for (const key of keys) {
    // An integer as a shell writes it, or none.
    const [, beginning = '', digits = ''] = /^(.*?)(0|[1-9]\d{0,8})?$/s.exec(key) ?? [];
    const numbers = counted.get(beginning) ?? [];
    numbers.push(digits === '' ? Number.NaN : Number(digits));
    counted.set(beginning, numbers);
  }
  const items = [...counted].flatMap(([beginning, numbers]) => rangesOf(numbers).map((range) => beginning + range));
  return items.length === 1 ? (items[0] ?? '') : `{${items.join(',')}}`;
}

/** NaN stands for no number. */
function rangesOf(numbers: readonly number[]): string[] {
  const sorted = numbers.filter((number) => !Number.isNaN(number)).sort((a, b) => a - b);
  const ranges: string[] = sorted.length < numbers.length ? [''] : [];
  for (let begin = 0; begin < sorted.length; ) {
    let end = begin + 1;
    while (end < sorted.length && sorted[end] === (sorted[end - 1] ?? 0) + 1) end++;
    const run = sorted.slice(begin, end);
    ranges.push(...(run.length > 2 ? [`{${run[0]}..${run.at(-1)}}`] : run.map(String)));
    begin = end;
  }
  return ranges;
}
